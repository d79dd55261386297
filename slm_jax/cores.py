"""How many processes work may be spread over."""

import os

from slm_jax.errors import InputError


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(workers: int | None) -> int:
    """The number of worker processes asked for, one a core by default; raises InputError below one."""
    if workers is None:
        return available_cores()
    if workers < 1:
        raise InputError(f"workers is {workers}: give 1 or more, or leave it out to use all cores")
    return workers
