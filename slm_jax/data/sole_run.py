"""One run at a time in a folder: a lock that ends with the process that holds it, however it ends."""

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import IO

from slm_jax.data.shards import named_write_errors
from slm_jax.errors import InputError

LOCK = "lock"


@contextlib.contextmanager
def sole_run(folder: pathlib.Path) -> Iterator[None]:
    """Holds `folder`, which is made, for this process; leaves none that has nothing but the lock in it.

    Raises InputError when another process holds it, on this machine or on one that shares the file system.
    """
    path = folder / LOCK
    with named_write_errors(folder):
        file = _hold(path)
    try:
        yield
    finally:
        if _is_at(file, path) and os.listdir(folder) == [LOCK]:
            path.unlink()
        file.close()  # before its folder goes: NFS keeps open files there
        with contextlib.suppress(OSError):
            folder.rmdir()  # not if anything is in it


def _hold(path: pathlib.Path) -> IO[str]:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="utf-8")
        except FileNotFoundError:  # the folder went with the run that held it
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read() or "unknown"
            file.close()
            raise InputError(
                f"{path.parent}: another run is at work there ({holder}); wait until it ends, or choose "
                "another output folder"
            ) from None
        if _is_at(file, path):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            return file
        file.close()


def _is_at(file: IO[str], path: pathlib.Path) -> bool:
    """Whether `path` still names the open file, which the run before may have removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False
