"""All cores for independent jobs: spawned processes, one numerical thread each."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, resource_tracker
from typing import TypeVar

import threadpoolctl

from slm_jax.cores import worker_count
from slm_jax.errors import InputError

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
JOBS_PER_WORKER = 4  # waiting jobs: enough to keep a worker busy, few enough to stop early cheaply


def parallel_map(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """Yields function(job) of every job, in the order of the jobs; jobs are drawn as they are needed.

    `function` and the jobs must be picklable. `workers` defaults to the cores this process may use; one
    worker means this process itself. Raises what `function` raises, and InputError for fewer
    than one worker or when a worker was killed.
    """
    jobs = iter(jobs)
    workers = worker_count(workers)
    first = list(itertools.islice(jobs, JOBS_PER_WORKER * workers))
    workers = min(workers, len(first))
    if workers <= 1:
        with threadpoolctl.threadpool_limits(1):
            yield from map(function, itertools.chain(first, jobs))
        return
    resource_tracker.ensure_running()  # its start would let SIGINT through again in _submit
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        waiting = collections.deque(_submit(pool, function, job) for job in first)
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(_submit(pool, function, job) for job in itertools.islice(jobs, 1))
            yield result
    except BrokenProcessPool:
        raise InputError(
            "a worker process was killed: for lack of memory (use fewer workers), or because the calling "
            "script has no `if __name__ == '__main__':` around its work"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: concurrent.futures.ProcessPoolExecutor, function: Callable[[Job], Result], job: Job
) -> concurrent.futures.Future:
    """Submits a job, which may start a worker, with SIGINT held back.

    A worker inherits that: Ctrl-C while it still imports is no traceback.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return pool.submit(function, job)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start_worker() -> None:
    # One thread for each process, or the cores would be oversubscribed: of libraries that are loaded, and
    # of those that a job will load.
    threadpoolctl.threadpool_limits(1)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    # Ctrl-C: the parent reports it, workers just end, also when it came while they started.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Ends this worker when its parent was killed: an orphan would wait for jobs for ever."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
