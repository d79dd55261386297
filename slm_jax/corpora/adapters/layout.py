"""Walking a corpus on disk: in the order of names, one folder at a time."""

import os
import pathlib
from collections.abc import Iterable, Iterator

from slm_jax.corpora.recording import Recording
from slm_jax.errors import InputError


def folders(path: pathlib.Path) -> list[pathlib.Path]:
    """The folders in a folder that are not hidden, sorted; none when there is no such folder."""
    return sorted(child for child in _children(path) if child.is_dir())


def files(path: pathlib.Path, *suffixes: str) -> list[pathlib.Path]:
    """The files in a folder with one of `suffixes` that are not hidden, sorted."""
    return sorted(child for child in _children(path) if child.suffix in suffixes and not child.is_dir())


def _children(path: pathlib.Path) -> Iterable[pathlib.Path]:
    return (child for child in path.iterdir() if child.name[0] != ".") if path.is_dir() else ()


def expect(recordings: Iterable[Recording], root: str | os.PathLike, layout: str) -> Iterator[Recording]:
    """Passes recordings on; raises InputError naming `root` and its proper layout if there are none."""
    empty = True
    for recording in recordings:
        empty = False
        yield recording
    if empty:
        problem = "holds nothing of it" if pathlib.Path(root).is_dir() else "no such folder"
        raise InputError(f"{root}: {problem}; looked for {layout}")
