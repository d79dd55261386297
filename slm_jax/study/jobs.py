"""The runs of a study as jobs: each is trained and scored by whichever worker holds it, here or elsewhere.

Any number of workers, on all machines that share the folder, may work on one study: each takes what no other
holds, and a run whose worker was killed is free again.
"""

import contextlib
import errno
import shutil
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint.multihost import get_barrier_sync_fn

from slm_jax.errors import DiskFullError, InputError, Preempted, WorkError
from slm_jax.files import write_json
from slm_jax.study.folder import LOSS, SUMMARY, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.holding import RunLock
from slm_jax.training import saved_steps

POLL_SECONDS = 1.0
# A token costs this much beside its matrix products (attention, softmax, norms), measured on CPU.
PARAMS_WORTH_OF_OVERHEAD = 80_000
NONE_LEFT, WAIT = -1, -2  # instead of the index of a run
LOOKS = 2  # who only looks whether a run is held holds it for a moment
LONGEST_REASON = 1500  # characters
MOST_KILLED = 2  # workers, before a run is taken for what kills them
MOST_UNEXPECTED = 3  # failures in a row, before the worker is taken for their cause
SHORT_REASON = 200  # characters
FAIL_TOGETHER_SECONDS = 60  # between the first and the last of several processes


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
        return (self.folder.run(run.name) / SUMMARY).exists()

    def is_failed(self, run: PlannedRun) -> bool:
        return self.folder.failure(run.name).exists()

    def is_held(self, run: PlannedRun) -> bool:
        """Whether a worker is at it."""
        return self._lock(run).is_held()

    def left(self) -> list[PlannedRun]:
        """Neither done nor failed."""
        return [run for run in self.runs if not self.is_done(run) and not self.is_failed(run)]

    def free(self) -> list[PlannedRun]:
        """Those left that no worker holds."""
        return [run for run in self.left() if not self.is_held(run)]

    def held_by(self, worker: str) -> PlannedRun | None:
        """The run that a worker (`worker_name`) had when it died."""
        return next((run for run in self.runs if self._lock(run).is_signed_by(worker)), None)

    def fail(self, run: PlannedRun, reason: str) -> None:
        write_json(self.folder.failure(run.name), {"name": run.name, "reason": reason[:LONGEST_REASON]})

    def forget_failures(self) -> None:
        """Has what failed tried again, also what killed its workers."""
        shutil.rmtree(self.folder.path / "failed", ignore_errors=True)
        for run in self.runs:
            self._lock(run).forget_killed()

    def work(self, make: Callable[[PlannedRun], None], report: Callable[[PlannedRun], None]) -> None:
        """Takes one run after another, the longest first, until all are done, failed or held by others.

        `make` trains and scores a run; what it raises is recorded as the run's failure, and the next is
        taken. A run that MOST_KILLED workers were killed with is not made again, but fails. Of several
        processes (jax.distributed) the first takes runs for all; what one of them alone raises is recorded
        too, but then raised, as the others are held up in the run until JAX ends them. Raises WorkError after
        MOST_UNEXPECTED failures in a row that no run explains, so that other workers have the runs that are
        left; InputError where the file system has no locks; and OSError or DiskFullError when the disk is
        full, which is no run's failure.
        """
        unexpected: list[str] = []
        if jax.process_index() == 0:
            for run in self.runs:
                self._lock(run).forget_namesake()
        while True:
            with self._taken() as run:
                if run is None:
                    return
                try:
                    make(run)
                    unexpected.clear()
                    if jax.process_index() == 0:  # of a worker that died with it just before
                        self.folder.failure(run.name).unlink(missing_ok=True)
                except Exception as error:
                    if isinstance(error, Preempted) or _is_full_disk(error):
                        raise
                    if not isinstance(error, InputError | WorkError):
                        traceback.print_exc(file=sys.stderr)
                    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
                    alone = not _others_failed(run)
                    if alone or jax.process_index() == 0:
                        self.fail(run, reason)
                    if alone:
                        raise
                    if not _explained_by_run(error):
                        unexpected.append(f"{run.name} ({textwrap.shorten(reason, SHORT_REASON)})")
                if jax.process_index() == 0:
                    report(run)
            if _of_the_first(len(unexpected)) >= MOST_UNEXPECTED:
                raise WorkError(
                    f"{MOST_UNEXPECTED} runs in a row failed here unexpectedly, so this worker takes no more "
                    f"({', '.join(unexpected)}); look whether this machine is well, and start it again"
                )

    @contextlib.contextmanager
    def _taken(self) -> Iterator[PlannedRun | None]:
        """A run that is held for the block; None when there is none to take."""
        with contextlib.ExitStack() as held:
            # Asked again and again, the other processes are never long in one collective operation.
            while (index := self._agreed(held)) == WAIT:
                time.sleep(POLL_SECONDS)
            yield None if index == NONE_LEFT else self.runs[index]

    def _agreed(self, held: contextlib.ExitStack) -> int:
        index = self._take(held) if jax.process_index() == 0 else NONE_LEFT
        return _of_the_first(index)

    def _take(self, held: contextlib.ExitStack) -> int:
        """Holds a run in `held` and returns its index; WAIT while a trunk is another worker's."""
        untrained = {run.name for run in self.left() if not self.is_trained(run)}
        for look in range(LOOKS):
            left = sorted(self.left(), key=work_of, reverse=True)
            for run in left:
                if run.trunk not in untrained and self._hold(run, held):
                    return self.runs.index(run)
            if left and look + 1 < LOOKS:
                time.sleep(POLL_SECONDS)
        return WAIT if any(run.trunk in untrained for run in left) else NONE_LEFT

    def _hold(self, run: PlannedRun, held: contextlib.ExitStack) -> bool:
        lock = self._lock(run)
        with contextlib.ExitStack() as attempt:
            file = attempt.enter_context(lock.locked())
            if file is None or self.is_done(run) or self.is_failed(run):
                return False
            step = max(saved_steps(self.folder.run(run.name)), default=0)
            killed = lock.killed_at(step)
            if len(killed) >= MOST_KILLED:
                self._fail_deadly(run, killed)
                return False
            attempt.enter_context(lock.signed(file, step))
            held.push(attempt.pop_all())
        return True

    def _fail_deadly(self, run: PlannedRun, killed: list[str]) -> None:
        reason = (
            f"{len(killed)} workers were killed with it before it got further ({'; '.join(killed)}), as when "
            "memory runs out; slm study prepare lets it be tried again"
        )
        print(f"  {run.name} failed: {reason}", file=sys.stderr, flush=True)
        self.fail(run, reason)

    def _lock(self, run: PlannedRun) -> RunLock:
        return RunLock(self.folder, run.name)


def _is_full_disk(error: Exception) -> bool:
    no_room = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return no_room or isinstance(error, DiskFullError)


def _explained_by_run(error: Exception) -> bool:
    """Whether it is a failure of this run alone: bad input, a loss that diverged, a model too large."""
    too_large = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
    return too_large or getattr(error, "exit_code", None) == InputError.exit_code


def _of_the_first(number: int) -> int:
    """The number that the first process has."""
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def _others_failed(run: PlannedRun) -> bool:
    """Whether the other processes, if there are any, have come out of the run as well."""
    try:
        get_barrier_sync_fn()(key=f"failed_{run.name}", timeout_ms=1000 * FAIL_TOGETHER_SECONDS)
    except jax.errors.JaxRuntimeError:
        return False
    return True
