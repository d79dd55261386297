"""Several workers on one machine, each a process with its share of the cores and accelerators."""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import resource_tracker

from slm_jax.errors import Preempted, WorkError
from slm_jax.progress import progress
from slm_jax.study.holding import worker_name
from slm_jax.study.jobs import Jobs
from slm_jax.study.machine import core_shares, end_with_parent, in_environment, on_cores, shares
from slm_jax.study.status import share_made

POLL_SECONDS = 1.0
LAST_WORDS = 800  # characters of a worker's log
MOST_IDLE_DEATHS = 3  # of workers that had no run: more, and something is wrong with all of them


def work_at_once(jobs: Jobs, work: Callable[[], None], workers: int) -> None:
    """Runs `work` (picklable) in several processes at once until no run is left.

    A worker that dies fails the run it held, and another takes its place. Raises WorkError when they die
    without a run, and Preempted when this process was asked to stop and the workers have saved their state.
    """
    logs = jobs.folder.path / "logs"
    logs.mkdir(exist_ok=True)
    team = _Team(work, workers, logs)
    total, idle_deaths, undone = sum(run.own_flops for run in jobs.runs), 0, jobs.runs
    try:
        with progress(total=int(total), desc="training", unit="FLOP") as bar:
            while team.working or (jobs.free() and not team.was_asked_to_stop):
                for pid, code, log in team.take_dead():
                    idle_deaths += not _record_death(jobs, pid, code, log)
                    if idle_deaths > MOST_IDLE_DEATHS:
                        raise WorkError(
                            f"{idle_deaths} workers ended that had no run; the last with {_ending(code, log)}"
                        )
                if team.working < workers:  # none for what workers of other machines hold
                    team.fill(min(len(jobs.left()), team.working + len(jobs.free())))
                undone = [run for run in undone if not jobs.is_done(run)]
                left = sum(run.own_flops * (1 - share_made(jobs.folder, run)) for run in undone)
                bar.update(int(total - left) - bar.n)
                time.sleep(POLL_SECONDS)
    finally:
        team.end()
    if team.was_asked_to_stop:
        raise Preempted(f"{jobs.folder.path}: stopped; the runs were saved where they were")


def _record_death(jobs: Jobs, pid: int, code: int, log: pathlib.Path) -> bool:
    """Whether the worker had a run, which then failed."""
    run = jobs.held_by(worker_name(pid))
    if run is None:  # said at once, because the log is the next worker's
        print(f"  a worker that had no run ended with {_ending(code, log)}", file=sys.stderr, flush=True)
        return False
    reason = f"its process ended with {_ending(code, log)}"
    print(f"  {run.name} failed: {reason}", file=sys.stderr, flush=True)
    jobs.fail(run, reason)
    return True


def _ending(code: int, log: pathlib.Path) -> str:
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    words = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return f"{how}; {log.name} ends with: {words.strip()[-LAST_WORDS:] or 'nothing'}"


class _Team:
    """Worker processes, each with its own share of the machine."""

    def __init__(self, work: Callable[[], None], workers: int, logs: pathlib.Path):
        self._work, self._logs = work, logs
        self._environments, self._cores = shares(workers), core_shares(workers)
        self._processes: list[multiprocessing.Process | None] = [None] * workers
        self.was_asked_to_stop = False
        resource_tracker.ensure_running()  # its start would let through the signals that `_start` holds back
        self._before = signal.signal(signal.SIGTERM, self._stop)

    @property
    def working(self) -> int:
        return sum(bool(process and process.is_alive()) for process in self._processes)

    def fill(self, most: int) -> None:
        """Starts workers until all places are taken, or `most`."""
        for place, process in enumerate(self._processes):
            if self.working < most and not (process and process.is_alive()) and not self.was_asked_to_stop:
                self._start(place)

    def take_dead(self) -> list[tuple[int, int, pathlib.Path]]:
        """(pid, exit code, log) of the workers that died since the last call."""
        dead = []
        for place, process in enumerate(self._processes):
            if process and process.exitcode is not None:
                self._processes[place] = None
                if process.exitcode and not self.was_asked_to_stop:
                    dead.append((process.pid, process.exitcode, self._log(place)))
        return dead

    def end(self) -> None:
        """Asks all to stop, waits for them, and leaves SIGTERM as it was."""
        self._terminate()
        for process in filter(None, self._processes):
            process.join()
        signal.signal(signal.SIGTERM, self._before)

    def _stop(self, *_) -> None:
        if not self.was_asked_to_stop:  # a second SIGTERM would keep a worker from saving
            self.was_asked_to_stop = True
            self._terminate()

    def _terminate(self) -> None:
        for process in filter(None, self._processes):
            if process.is_alive():
                process.terminate()

    def _log(self, place: int) -> pathlib.Path:
        return self._logs / f"worker-{place}.log"

    def _start(self, place: int) -> None:
        """A process inherits the cores, the environment and the signals held back of this one."""
        process = multiprocessing.get_context("spawn").Process(
            target=_run_worker, args=(self._work, self._log(place))
        )
        # Ctrl-C reaches workers through this process alone; SIGTERM waits until they can handle it.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        try:
            with on_cores(self._cores[place]), in_environment(self._environments[place]):
                process.start()
            self._processes[place] = process
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _run_worker(work: Callable[[], None], log: pathlib.Path) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), 2)
    with contextlib.suppress(Preempted):  # the parent says so
        work()
