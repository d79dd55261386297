"""How many windows a pass of an update takes, so that it fits into a device's memory."""

import bisect
import os
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.stages import Compiled

from slm_jax.errors import InputError
from slm_jax.training.agreement import largest

ACCELERATOR_SHARE = 0.9  # of what the device gives: memory comes apart into pieces
HOST_SHARE = 0.5  # the system and the data need the rest


def largest_that_fits(batch: int, multiple: int, compiled: Callable[[int], Compiled]) -> int:
    """The largest divisor of `batch`, itself a multiple of `multiple`, whose update fits into memory.

    `compiled(size)` is the update with micro-batches of that size; what it needs on a device is in its
    memory analysis. Every process takes the first one's limit and the most that any of them needs, and so
    compiles the same sizes in the same order. Where no limit is known, the whole batch. Raises InputError if
    nothing fits.
    """
    limit = memory_limit()
    megabytes = -1 if limit is None else int(limit / 1e6)
    megabytes = int(multihost_utils.broadcast_one_to_all(np.int32(megabytes)))
    if megabytes < 0:
        return batch
    sizes = [size for size in range(multiple, batch + 1, multiple) if batch % size == 0]
    fitting = bisect.bisect_right(sizes, megabytes, key=lambda size: largest(_megabytes(compiled, size)))
    if not fitting:
        raise InputError(
            f"config.micro_batch is -1, but even {sizes[0]} window(s) a pass do not fit into a device's "
            f"{megabytes:,} MB of memory: set config.model.remat to full or dots, raise config.mesh.fsdp, or "
            "take a smaller context or model"
        )
    return sizes[fitting - 1]


def memory_limit() -> float | None:
    """Bytes that an update may take on one device; None where neither device nor system say.

    On CPU half of the host's memory, shared by its devices: all of it and not what is free just now, so that
    a run that is taken up again decides as before.
    """
    device = jax.local_devices()[0]
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return ACCELERATOR_SHARE * stats["bytes_limit"]
    if device.platform == "cpu" and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return HOST_SHARE * memory / jax.local_device_count()
    return None


def _megabytes(compiled: Callable[[int], Compiled], size: int) -> float:
    try:
        memory = compiled(size).memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):  # a TPU's compiler finds out itself
            return float("inf")
        raise
    return update_bytes(memory) / 1e6


def update_bytes(memory) -> int:
    """Bytes on a device by a memory analysis: arguments, results that do not take their place, the rest."""
    return (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
    )
