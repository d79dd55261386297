"""The machine that a study is trained on: how many workers it takes, and what each sees of it."""

import concurrent.futures
import contextlib
import dataclasses
import glob
import math
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TypeVar

from slm_jax.cores import available_cores
from slm_jax.errors import InputError
from slm_jax.study.config import StudyConfig

Result = TypeVar("Result")

MOST_AT_ONCE = 4  # by default: each holds compiled programs of a GB or two
# Device files of accelerators, and the variable that says which of them a process may see.
ACCELERATORS = {
    "/dev/nvidia[0-9]*": "CUDA_VISIBLE_DEVICES",
    "/dev/accel[0-9]*": "TPU_VISIBLE_CHIPS",
    "/dev/vfio/[0-9]*": "TPU_VISIBLE_CHIPS",
}
# Without which JAX computes on the CPU beside them.
SOFTWARE = {"CUDA_VISIBLE_DEVICES": "jax_plugins", "TPU_VISIBLE_CHIPS": "libtpu"}
# What libtpu has to be told of a process's chips beside which they are.
TPU_BOUNDS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1"}


def workers_for(config: StudyConfig, at_once: int | None) -> int:
    """How many runs to train at the same time; raises InputError for a number that is none.

    It leaves JAX as it is: a process whose JAX has found accelerators may keep them from its workers.
    """
    if at_once is not None:
        if at_once < 1:
            raise InputError(
                f"--at-once is {at_once}: give the number of runs to train at the same time, 1 or more"
            )
        return at_once
    splits_models = math.prod(size for size in dataclasses.astuple(config.mesh) if size > 0) > 1
    _, accelerators = _accelerators()
    if splits_models or accelerators:
        return 1
    return min(available_cores(), MOST_AT_ONCE)


def apart(function: Callable[[], Result], workers: int) -> Result:
    """What `function` (picklable) returns, run where it keeps no accelerator from `workers` after it.

    With accelerators that is a process of its own, which sees what a worker will see of them, so that what
    it finds to fit a worker's devices does; else this one. Raises what `function` raises.
    """
    _, accelerators = _accelerators()
    if not accelerators:
        return function()
    with (
        in_environment(shares(workers)[0]),
        concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        return pool.submit(_with_parent, function).result()


def shares(workers: int) -> list[dict[str, str]]:
    """What each worker's environment says of the accelerators it may use; nothing where there are none."""
    variable, found = _accelerators()
    if not found:
        return [{} for _ in range(workers)]
    if len(found) < workers:
        raise InputError(
            f"--at-once is {workers}, but there are {len(found)} accelerators; give at most that"
        )
    each = len(found) // workers
    whose = [found[place * each : (place + 1) * each] for place in range(workers)]
    return [{variable: ",".join(mine)} | _bounds(variable, each, workers) for mine in whose]


def _accelerators() -> tuple[str, list[str]]:
    """The variable that says which accelerators a process may see, and those that this one may.

    By their device files, as asking JAX would have this process take them.
    """
    used = {} if os.environ.get("JAX_PLATFORMS") == "cpu" else ACCELERATORS
    for pattern, variable in used.items():
        if find_spec(SOFTWARE[variable]) is None:
            continue
        named = os.environ.get(variable, ",".join(map(str, range(len(glob.glob(pattern))))))
        if named:
            return variable, named.split(",")
    return "", []


def core_shares(workers: int) -> list[list[int]]:
    """The cores of each worker: of all the same number, so that it is the same who trains what."""
    if not hasattr(os, "sched_getaffinity"):
        return [[] for _ in range(workers)]
    cores = sorted(os.sched_getaffinity(0))
    each = len(cores) // workers
    return [cores[place * each : (place + 1) * each] or cores for place in range(workers)]


@contextlib.contextmanager
def on_cores(cores: list[int]) -> Iterator[None]:
    """What is started in the block stays on these cores; on any, where there are none."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _bounds(variable: str, chips: int, workers: int) -> dict[str, str]:
    if variable != "TPU_VISIBLE_CHIPS" or (workers == 1 and chips not in TPU_BOUNDS):  # all of a larger host
        return {}
    if chips not in TPU_BOUNDS:
        raise InputError(f"--at-once leaves {chips} TPU chips for each worker; it must be 1, 2 or 4")
    return {"TPU_CHIPS_PER_PROCESS_BOUNDS": TPU_BOUNDS[chips], "TPU_PROCESS_BOUNDS": "1,1,1"}


@contextlib.contextmanager
def in_environment(changes: dict[str, str]) -> Iterator[None]:
    """What is started in the block inherits these variables."""
    kept = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _with_parent(function: Callable[[], Result]) -> Result:
    threading.Thread(target=end_with_parent, daemon=True).start()
    return function()


def end_with_parent() -> None:
    """Ends this process when its parent is killed."""
    multiprocessing.parent_process().join()
    os._exit(1)
