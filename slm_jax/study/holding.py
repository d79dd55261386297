"""Which process holds a run: by a lock on a file, which ends with the process, and by its name in that file.

A holder that ends by itself takes its name out. So the names in the file of a run that is free are those of
processes that were killed with it.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from typing import IO

from slm_jax.errors import InputError
from slm_jax.study.folder import StudyFolder


def worker_name(process: int | None = None) -> str:
    """Of a process of this machine (None: of this one), among those of all machines."""
    return f"{process or os.getpid()} on {socket.gethostname()}"


class RunLock:
    """The lock of one run (`name`) of a study."""

    def __init__(self, folder: StudyFolder, name: str):
        self._path = folder.path / "locks" / name

    def is_held(self) -> bool:
        """Whether a process has it; who may only read the folder can see it too."""
        if not self._path.exists():
            return False
        with self._path.open(encoding="utf-8") as file:
            return not _lock(file, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def locked(self) -> Iterator[IO[str] | None]:
        """The file, which is this process's until the block ends; None where it is another's."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            yield file if _lock(file, fcntl.LOCK_EX) else None

    @contextlib.contextmanager
    def signed(self, file: IO[str], step: int) -> Iterator[None]:
        """Has this process in the file it has locked, with the step that the run is at, for the block.

        However the block ends the file is empty then, of those before too, unless the process is killed.
        """
        file.write(f"{worker_name()} at step {step}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)

    def is_signed_by(self, worker: str) -> bool:
        """Whether `worker` (`worker_name`) has it, or was killed with it and another may have it now."""
        return any(_is_of(line, worker) for line in self._lines())

    def killed_at(self, step: int) -> list[str]:
        """Of the lines of a run that is free: whoever was killed before the run came further than `step`."""
        return [line for line in self._lines() if line.endswith(f" at step {step}")]

    def forget_namesake(self) -> None:
        """Tells this process from an earlier one with its number that was killed with the run."""
        if self.is_signed_by(worker_name()):
            lines = [f"earlier, {line}" if _is_of(line, worker_name()) else line for line in self._lines()]
            self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def forget_killed(self) -> None:
        """Empties the file of a run that is free."""
        if self._lines():
            with self.locked() as file:
                if file is not None:
                    file.truncate(0)

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []


def _is_of(line: str, worker: str) -> bool:
    return line.startswith(f"{worker} at step ")


def _lock(file: IO[str], kind: int) -> bool:
    """Whether nobody else had locked it; the lock ends when the file is closed."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(
            f"{file.name}: the file system has no locks ({error.strerror}), by which workers share runs; put "
            "the study on one that has (docs/launching.md)"
        ) from None
    return True
