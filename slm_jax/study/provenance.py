"""Where a study comes from: the command, the code and the machine, for its plan.json."""

import datetime
import os
import pathlib
import platform
import shlex
import subprocess
import sys

from slm_jax.cores import available_cores
from slm_jax.versions import versions


def provenance() -> dict:
    """The fields of plan.json that say how to make the study again."""
    return {
        "versions": versions(),
        "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "commit": _commit(),
        "machine": f"{available_cores()} cores, {platform.machine()}, {platform.system()}",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    """The commit of the checkout this package runs from, with "+" when it has changes; None outside one."""
    here = pathlib.Path(__file__)
    git = ["git", "-C", os.fspath(here.parent)]

    def ask(*words: str) -> str:
        return subprocess.check_output([*git, *words], stderr=subprocess.DEVNULL, text=True).strip()

    try:
        ask("ls-files", "--error-unmatch", here.name)  # not a repository the environment happens to lie in
        return ask("rev-parse", "--short", "HEAD") + ("+" if ask("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
