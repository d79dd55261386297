"""What several processes have to find alike, because all of them must then do the same.

A file system that they share over a network may show a folder to some of them later than to others, and a
read may fail in one alone.
"""

import jax
import numpy as np
from jax.experimental import multihost_utils


def first_finds(found: bool) -> bool:
    """What the first process has found."""
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(found)))


def as_the_first_sees(steps: list[int]) -> list[int]:
    """The steps that the first process has found."""
    count = int(multihost_utils.broadcast_one_to_all(np.int32(len(steps))))
    if not count:
        return []
    return multihost_utils.broadcast_one_to_all(np.resize(np.array(steps, np.int32), count)).tolist()


def failure_of_any(reason: str | None) -> str | None:
    """Why something failed here, or that it did elsewhere; None where it failed in no process."""
    if jax.process_count() == 1:
        return reason
    failed_P = np.ravel(multihost_utils.process_allgather(np.array(reason is not None)))
    if reason is None and failed_P.any():
        return f"process {int(failed_P.argmax())} could not"
    return reason
