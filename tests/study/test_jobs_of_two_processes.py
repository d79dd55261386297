"""Two real processes as one worker: what both raise is a run's failure, what one alone raises ends both."""

import os
import socket
import subprocess
import sys

import pytest
from planned import jobs_of, planned

from slm_jax.files import read_json

PROGRAM = """
import pathlib, sys
import jax, numpy as np
folder, tests, address, process = sys.argv[1:]
soon = {"heartbeat_timeout_seconds": 10, "shutdown_timeout_seconds": 5}
jax.distributed.initialize(address, num_processes=2, process_id=int(process), **soon)
sys.path.insert(0, tests)
from jax.experimental import multihost_utils
from planned import finish, jobs_of, planned
from slm_jax.errors import WorkError
from slm_jax.study import jobs as jobs_module
jobs_module.FAIL_TOGETHER_SECONDS = 5
jobs = jobs_of(pathlib.Path(folder), [planned(name, tokens=n) for name, n in (("a", 3), ("b", 2), ("c", 1))])
def make(run):
    if run.name == "a":
        raise WorkError("diverged")
    if run.name == "b" and process == "1":
        raise RuntimeError("the disk is gone")
    multihost_utils.broadcast_one_to_all(np.int32(0))
    if process == "0":
        finish(jobs.folder, run)
jobs.work(make, lambda run: print("run", run.name, flush=True))
"""


def work(folder) -> list[tuple[int, str, str]]:
    """(exit code, what it printed, its errors) of two processes that are one worker."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder, os.path.dirname(__file__), address, str(process)],
            env=environment | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in started]
    return [(process.returncode, *output) for process, output in zip(started, outputs, strict=True)]


def runs_in(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("run ")]


@pytest.mark.slow
def test_a_run_that_fails_in_one_process_ends_both_and_is_not_taken_again(tmp_path):
    jobs = jobs_of(tmp_path, [planned(name) for name in "abc"])
    (first, printed, _), (second, _, errors) = work(tmp_path)
    assert first != 0 and second != 0 and "the disk is gone" in errors
    assert runs_in(printed) == ["run a"]
    assert read_json(jobs.folder.failure("a"))["reason"] == "WorkError: diverged"
    assert read_json(jobs.folder.failure("b"))["reason"] == "RuntimeError: the disk is gone"
    assert [run.name for run in jobs.left()] == ["c"]

    (first, printed, errors), (second, _, _) = work(tmp_path)
    assert (first, second) == (0, 0), errors
    assert runs_in(printed) == ["run c"] and jobs.is_done(jobs.runs[2])
