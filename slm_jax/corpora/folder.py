"""Any folder of audio files as a corpus."""

import collections
import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.recording import AUDIO_SUFFIXES, Recording, as_text, unique
from slm_jax.errors import InputError


def scan_folder(folder: str | os.PathLike) -> list[Recording]:
    r"""Every audio file under a folder, sorted by path.

    A recording's id is its path below the folder without the suffix (with it where two files differ only in
    that), its speaker the folder it lies in ("unknown" directly under `folder`), its source the folder's
    name. Bytes of names that are not UTF-8 are written as \xe9 there; loading such a file is an AudioError
    that asks to rename it. Hidden files are left out. Raises InputError if there is no such folder or it has
    no audio.
    """
    return unique(stream_folder(folder))


def stream_folder(folder: str | os.PathLike) -> Iterator[tuple[str, Recording]]:
    """The recordings of a folder one by one, each with its path; no more than a folder is held in memory."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of audio files")
    source = as_text(folder.resolve().name)
    path = None
    for path, name in _audio_files(folder):
        relative = path.relative_to(folder)
        speaker = as_text(relative.parent.name) or "unknown"
        yield (
            str(path),
            Recording(as_text(relative.with_name(name).as_posix()), path, speaker=speaker, source=source),
        )
    if path is None:
        kinds = ", ".join(sorted(suffix[1:] for suffix in AUDIO_SUFFIXES))
        raise InputError(f"{folder}: no audio files in the folder; put recordings there ({kinds})")


def _audio_files(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, str]]:
    """Audio files in the order of their paths, with the last part of their id."""
    with os.scandir(folder) as entries:
        children = sorted((e.name, e.is_dir()) for e in entries if not e.name.startswith("."))
    stems = {
        name: pathlib.PurePath(name).stem
        for name, is_dir in children
        if not is_dir and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES
    }
    namesakes = collections.Counter(stems.values())
    for name, is_dir in children:
        if is_dir:
            yield from _audio_files(folder / name)
        elif name in stems:
            yield folder / name, stems[name] if namesakes[stems[name]] == 1 else name
