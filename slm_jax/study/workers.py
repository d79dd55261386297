"""Several workers on one machine, each a process with its share of the cores or accelerators."""

import contextlib
import dataclasses
import glob
import math
import multiprocessing
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable

import jax

from slm_jax.cores import available_cores
from slm_jax.errors import InputError, Preempted, WorkError
from slm_jax.progress import progress
from slm_jax.study.config import StudyConfig
from slm_jax.study.jobs import Jobs, work_of

MOST_AT_ONCE = 4  # by default: each holds compiled programs of a GB or two
POLL_SECONDS = 0.5
LAST_WORDS = 1500  # characters of a worker's log
# Device files of accelerators, and the variable that says which of them a process may see.
ACCELERATORS = {"/dev/nvidia[0-9]*": "CUDA_VISIBLE_DEVICES", "/dev/accel[0-9]*": "TPU_VISIBLE_CHIPS"}


def workers_for(config: StudyConfig, at_once: int | None) -> int:
    """How many runs to train at the same time; raises InputError for a number that is none."""
    if at_once is not None:
        if at_once < 1:
            raise InputError(
                f"--at-once is {at_once}: give the number of runs to train at the same time, 1 or more"
            )
        return at_once
    splits_models = math.prod(size for size in dataclasses.astuple(config.mesh) if size > 0) > 1
    if splits_models or jax.default_backend() != "cpu":
        return 1
    return min(available_cores(), MOST_AT_ONCE)


def work_at_once(jobs: Jobs, work: Callable[[], None], workers: int) -> None:
    """Runs `work` (picklable) in several processes at once until no run is left.

    A worker that dies fails the run it held, and another takes its place. Raises WorkError when one dies
    without a run, and Preempted when this process was asked to stop and the workers have saved their state.
    """
    logs = jobs.folder.path / "logs"
    logs.mkdir(exist_ok=True)
    team = _Team(work, workers, logs)
    total = sum(map(work_of, jobs.runs))
    try:
        with progress(total=1000, desc="runs", unit="‰") as bar:
            while team.is_working:
                for pid, code, log in team.replace_dead(lambda: bool(_left(jobs))):
                    _record_death(jobs, pid, code, log)
                done = sum(work_of(run) for run in jobs.runs if jobs.is_done(run))
                bar.update(int(1000 * done / total) - bar.n)
                time.sleep(POLL_SECONDS)
    finally:
        team.end()
    if team.was_asked_to_stop:
        raise Preempted(f"{jobs.folder.path}: stopped; the runs were saved where they were")


def _left(jobs: Jobs) -> list:
    return [run for run in jobs.runs if not jobs.is_done(run) and not jobs.is_failed(run)]


def _record_death(jobs: Jobs, pid: int, code: int, log: pathlib.Path) -> None:
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    words = log.read_text(encoding="utf-8", errors="replace").strip()[-LAST_WORDS:]
    run = jobs.held_by(pid)
    if run is None:
        raise WorkError(f"a worker ended with {how} before it had a run; {log} says: {words}")
    print(f"  {run.name} failed: its process ended with {how}", file=sys.stderr, flush=True)
    jobs.fail(run, f"its process ended with {how}; {log.name} ends with: {words}")


class _Team:
    """Worker processes, each with its own share of the machine."""

    def __init__(self, work: Callable[[], None], workers: int, logs: pathlib.Path):
        self._work, self._logs = work, logs
        self._environments = _shares(workers)
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.was_asked_to_stop = False
        self._before = signal.signal(signal.SIGTERM, self._stop)
        self._processes = [self._start(place) for place in range(workers)]

    @property
    def is_working(self) -> bool:
        return any(process.is_alive() for process in self._processes)

    def replace_dead(self, is_work_left: Callable[[], bool]) -> list[tuple[int, int, pathlib.Path]]:
        """(pid, exit code, log) of the workers that died, each replaced while there is work."""
        dead = []
        for place, process in enumerate(self._processes):
            if process.exitcode and not self.was_asked_to_stop:
                dead.append((process.pid, process.exitcode, self._log(place)))
                if is_work_left():
                    self._processes[place] = self._start(place)
        return dead

    def end(self) -> None:
        """Asks all to stop, waits for them, and leaves SIGTERM as it was."""
        for process in self._processes:
            if process.is_alive():
                process.terminate()
        for process in self._processes:
            process.join()
        signal.signal(signal.SIGTERM, self._before)

    def _stop(self, *_) -> None:
        self.was_asked_to_stop = True
        for process in self._processes:
            process.terminate()

    def _log(self, place: int) -> pathlib.Path:
        return self._logs / f"worker-{place}.log"

    def _start(self, place: int) -> multiprocessing.Process:
        """A process inherits the cores and the environment that this one has when it starts it."""
        process = multiprocessing.get_context("spawn").Process(
            target=_run_worker, args=(self._work, self._log(place))
        )
        workers, kept = len(self._environments), dict(os.environ)
        os.environ.update(self._environments[place])
        if self._cores:
            os.sched_setaffinity(0, self._cores[place::workers] or self._cores)
        try:
            process.start()
        finally:
            os.environ.clear()
            os.environ.update(kept)
            if self._cores:
                os.sched_setaffinity(0, self._cores)
        return process


def _shares(workers: int) -> list[dict[str, str]]:
    """What each worker's environment says of the accelerators it may use; nothing where there are none."""
    used = {} if os.environ.get("JAX_PLATFORMS") == "cpu" else ACCELERATORS
    for pattern, variable in used.items():
        named = os.environ.get(variable, ",".join(map(str, range(len(glob.glob(pattern))))))
        found = named.split(",") if named else []
        if found:
            if len(found) < workers:
                raise InputError(
                    f"--at-once is {workers}, but there are {len(found)} accelerators; give at most that"
                )
            each = len(found) // workers
            return [
                {variable: ",".join(found[place * each : (place + 1) * each])} for place in range(workers)
            ]
    return [{} for _ in range(workers)]


def _run_worker(work: Callable[[], None], log: pathlib.Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr = log.open("a", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), 2)
    with contextlib.suppress(Preempted, KeyboardInterrupt):  # the parent says so
        work()


def _end_with_parent() -> None:
    """Ends this process when its parent is killed."""
    multiprocessing.parent_process().join()
    os._exit(1)
