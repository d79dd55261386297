"""The runs of a study as jobs: each is trained and scored by whichever worker holds it, here or elsewhere.

A worker holds a run by a lock on a file, which ends with the worker however it ends. So any number of
workers, on all machines that share the folder, may work on one study: each takes what no other holds.
"""

import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from slm_jax.errors import Preempted
from slm_jax.files import write_json
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun

POLL_SECONDS = 1.0
# A token costs this much beside its matrix products (attention, softmax, norms), measured on CPU.
PARAMS_WORTH_OF_OVERHEAD = 80_000
NONE_LEFT = -1


def work_of(run: PlannedRun) -> float:
    """What a run's time is about proportional to, over sizes a thousandfold apart."""
    share = 1 - run.shared_steps / run.steps
    return run.tokens * share * (run.params + PARAMS_WORTH_OF_OVERHEAD)


class Jobs:
    """The runs of a study, and what has become of them. `tasks` are those that each run is scored on."""

    def __init__(self, folder: StudyFolder, runs: Sequence[PlannedRun], tasks: Callable[[str], list[str]]):
        self.folder, self.runs, self._tasks = folder, list(runs), tasks

    def tasks_of(self, run: PlannedRun) -> list[str]:
        return self._tasks(run.arm)

    def is_done(self, run: PlannedRun) -> bool:
        """Trained and scored on everything."""
        names = [LOSS, *self.tasks_of(run)]
        return self.is_trained(run) and all(self.folder.score(run.name, name).exists() for name in names)

    def is_trained(self, run: PlannedRun) -> bool:
        return (self.folder.run(run.name) / "summary.json").exists()

    def is_failed(self, run: PlannedRun) -> bool:
        return self.folder.failure(run.name).exists()

    def is_held(self, run: PlannedRun) -> bool:
        """Whether a worker is at it."""
        with _hold(self.folder, run) as holds:
            return not holds

    def held_by(self, process: int) -> PlannedRun | None:
        """The run that a process of this machine, which may have ended, took last."""
        for run in self.runs:
            lock = _lock(self.folder, run)
            if lock.exists() and lock.read_text() == str(process) and not self.is_done(run):
                return run
        return None

    def fail(self, run: PlannedRun, reason: str) -> None:
        write_json(self.folder.failure(run.name), {"name": run.name, "reason": reason})

    def forget_failures(self) -> None:
        """So that what failed is tried again."""
        for run in self.runs:
            self.folder.failure(run.name).unlink(missing_ok=True)

    def work(self, make: Callable[[PlannedRun], None], report: Callable[[PlannedRun], None]) -> None:
        """Takes one run after another, the longest first, until all are done, failed or held by others.

        `make` trains and scores a run; what it raises is recorded as the run's failure, and the next is
        taken. Of several processes (jax.distributed) the first takes runs for all.
        """
        while True:
            with self._taken() as run:
                if run is None:
                    return
                try:
                    make(run)
                except Preempted:
                    raise
                except Exception as error:
                    if jax.process_index() == 0:
                        self.fail(run, f"{type(error).__name__}: {' '.join(str(error).split())}")
                if jax.process_index() == 0:
                    report(run)

    @contextlib.contextmanager
    def _taken(self) -> Iterator[PlannedRun | None]:
        with contextlib.ExitStack() as held:
            index = self._take(held) if jax.process_index() == 0 else NONE_LEFT
            index = int(multihost_utils.broadcast_one_to_all(np.int32(index)))
            yield None if index == NONE_LEFT else self.runs[index]

    def _take(self, held: contextlib.ExitStack) -> int:
        """Holds a run in `held`; waits while a run's trunk is another worker's. Returns the run's index."""
        while True:
            unfinished = [run for run in self.runs if not self.is_done(run) and not self.is_failed(run)]
            waiting = [run for run in unfinished if any(run.trunk == other.name for other in unfinished)]
            for run in sorted(unfinished, key=work_of, reverse=True):
                if run in waiting:
                    continue
                with contextlib.ExitStack() as attempt:
                    if attempt.enter_context(_hold(self.folder, run)) and not self.is_done(run):
                        _lock(self.folder, run).write_text(str(os.getpid()))
                        held.push(attempt.pop_all())
                        return self.runs.index(run)
            if not waiting:
                return NONE_LEFT
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _hold(folder: StudyFolder, run: PlannedRun) -> Iterator[bool]:
    """Whether this process now holds the run, until the block ends."""
    path = _lock(folder, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _lock(folder: StudyFolder, run: PlannedRun) -> pathlib.Path:
    return folder.path / "locks" / run.name
