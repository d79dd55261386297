"""What goes wrong with one recording, told apart from what would go wrong with any."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from slm_jax.errors import InputError

Result = TypeVar("Result")

OF_THE_FILE = {
    errno.ENOENT,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
PAUSES = (0.1, 1.0)  # s before a disk is asked again


class AudioError(InputError):
    """A recording that cannot be used; the message names the file and the reason."""


@contextlib.contextmanager
def blamed_on(path: str | os.PathLike) -> Iterator[None]:
    """Turns what goes wrong inside into an AudioError of `path`, so that one recording cannot stop a run.

    Passed on are InputErrors, which say more, and what another recording would not be spared either: lack of
    memory, and an OSError of the disk. Nothing may be left out of a corpus for those.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except OSError as error:
        if error.errno not in OF_THE_FILE:
            raise
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:
        raise AudioError(f"{path}: cannot be used ({type(error).__name__}: {error})") from error


def retried(read: Callable[[], Result]) -> Result:
    """What `read` returns; tried twice more when the disk, not the file, was at fault."""
    for pause in PAUSES:
        try:
            return read()
        except OSError as error:
            if error.errno in OF_THE_FILE:
                raise
            time.sleep(pause)
    return read()
