"""When a run was started and started again, and the share of the time since then that got it further."""

import pathlib
import secrets
import time

from slm_jax.files import read_jsonl, write_jsonl

STARTS = "starts.jsonl"


class Starts:
    """The starts of a run, of which the one that makes this object is the last.

    Attributes:
      id: of the run, drawn at its first start.
    """

    def __init__(self, run_dir: pathlib.Path, step: int):
        path = run_dir / STARTS
        starts = read_jsonl(path) if path.exists() else []
        self.id = starts[0]["id"] if starts else secrets.token_hex(8)
        starts.append({"id": self.id, "time": time.time(), "step": step})
        write_jsonl(path, starts)
        self._began = starts[0]["time"]

    def goodput(self, useful_seconds: float) -> float:
        """`useful_seconds` as a share of the wall time since the first start."""
        return useful_seconds / max(time.time() - self._began, useful_seconds, 1e-9)


def count_restarts(run_dir: pathlib.Path) -> int:
    """Starts of a run after its first."""
    return len(read_jsonl(run_dir / STARTS)) - 1
