"""What several processes have to find alike, because all of them must then do the same.

A file system that they share over a network may show a file to some of them later than to others, and a
read may fail in one alone.
"""

import json
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from slm_jax.errors import InputError


def as_the_first_sees(look: Callable[[], object]) -> object:
    """What `look` returns in the first process, the only one that calls it, by way of JSON.

    Raises in all processes the InputError that it raises there.
    """
    answer = {}
    if jax.process_index() == 0:
        try:
            answer["seen"] = look()
        except InputError as error:
            answer["refused"] = str(error)
    answer = json.loads(_of_the_first(json.dumps(answer).encode()))
    if "refused" in answer:
        raise InputError(answer["refused"])
    return answer["seen"]


def largest(value: float) -> float:
    """The largest of all processes' values, as a float32 holds it."""
    return float(np.max(multihost_utils.process_allgather(np.float32(value))))


def failure_of_any(reason: str | None) -> str | None:
    """Why something failed here, or that it did elsewhere; None where it failed in no process."""
    if jax.process_count() == 1:
        return reason
    failed_P = np.ravel(multihost_utils.process_allgather(np.array(reason is not None)))
    if reason is None and failed_P.any():
        return f"process {int(failed_P.argmax())} could not"
    return reason


def _of_the_first(content: bytes) -> bytes:
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    bytes_N = np.resize(np.frombuffer(content, np.uint8), size)  # all have to give as many
    return multihost_utils.broadcast_one_to_all(bytes_N).tobytes()
