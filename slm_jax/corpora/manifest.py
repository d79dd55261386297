"""Recordings of a corpus: read from a manifest, or found in a folder of audio files."""

import collections
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from slm_jax.errors import InputError
from slm_jax.files import read_jsonl

MANIFEST = "manifest.jsonl"
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".au"})
ONE_RECORDING_IN = 50  # goes to the validation split
KNOWN_KEYS = frozenset({"audio", "id", "speaker", "source", "split", "text"})


@dataclass(frozen=True)
class Recording:
    """Speech of one speaker: an audio file, or `seconds` of it from `start` on (s; None: from its beginning,
    to its end). `fields` holds whatever else its manifest says.
    """

    id: str
    path: pathlib.Path
    speaker: str
    source: str
    split: str | None = None
    text: str | None = None
    start: float | None = None
    seconds: float | None = None
    fields: dict = field(default_factory=dict)


def assign_split(id: str) -> str:
    """ "validation" for one recording in 50, "train" for the rest, by the hash of the id."""
    digest = hashlib.sha256(f"split {id}".encode()).digest()
    return "train" if int.from_bytes(digest[:8], "big") % ONE_RECORDING_IN else "validation"


def find_recordings(path: str | os.PathLike) -> list[Recording]:
    """The recordings of a manifest file, of a folder with a manifest.jsonl, or of a folder of audio files."""
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a manifest (.jsonl) or a folder of audio files"
        )
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(f"{path}: is a recording; give its folder, or a manifest (.jsonl) that lists it")
    if path.is_file():
        return read_manifest(path)
    manifest = path / MANIFEST
    return read_manifest(manifest) if manifest.exists() else scan_folder(path)


def read_manifest(path: str | os.PathLike) -> list[Recording]:
    """Reads a JSONL manifest: `audio` (a path relative to the manifest's folder) and, if given, id, speaker,
    source, split, text; all other keys are kept in `fields`.

    Without an id it is the audio path without its suffix; without a speaker "unknown"; without a source the
    name of the manifest's folder. Raises InputError naming file and line: no manifest, bad JSON, no
    recordings, a missing audio key, a field that is not text, text that UTF-8 cannot write, an id that
    occurs twice.
    """
    path = pathlib.Path(path)
    folder = path.parent
    recordings = []
    seen: dict[str, str] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        where = f"{path}, record {number}"
        if "audio" not in row:
            raise InputError(f'{where}: no "audio" key; add the path of the audio file, relative to {folder}')
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{where}: holds a lone surrogate (\\ud800 to \\udfff), which UTF-8 cannot write; "
                "correct it, or rename the file"
            ) from None
        for key in KNOWN_KEYS & row.keys():
            if not isinstance(row[key], str) or not row[key]:
                raise InputError(
                    f'{where}: "{key}" is {row[key]!r}; write a non-empty string or leave it out'
                )
        id = row.get("id", str(pathlib.PurePosixPath(row["audio"]).with_suffix("")))
        _register(id, where, seen)
        recordings.append(
            Recording(
                id=id,
                path=folder / row["audio"],
                speaker=row.get("speaker", "unknown"),
                source=row.get("source", folder.resolve().name),
                split=row.get("split"),
                text=row.get("text"),
                fields={key: value for key, value in row.items() if key not in KNOWN_KEYS},
            )
        )
    if not recordings:
        raise InputError(
            f"{path}: the manifest is empty; write one JSON object a line, each with an audio key"
        )
    return recordings


def scan_folder(folder: str | os.PathLike) -> list[Recording]:
    r"""Every audio file under a folder, sorted by path.

    A recording's id is its path below the folder without the suffix (with it where two files differ only in
    that), its speaker the folder it lies in ("unknown" directly under `folder`), its source the folder's
    name. Bytes of names that are not UTF-8 are written as \xe9 there; loading such a file is an AudioError
    that asks to rename it. Hidden files are left out. Raises InputError if there is no such folder or it has
    no audio.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of audio files")
    found = sorted(path.relative_to(folder) for path in _audio_files(folder))
    namesakes = collections.Counter(path.with_suffix("") for path in found)
    recordings = []
    seen: dict[str, str] = {}
    for relative in found:
        name = relative.with_suffix("")
        id = _text((name if namesakes[name] == 1 else relative).as_posix())
        _register(id, str(folder / relative), seen)
        recordings.append(
            Recording(
                id=id,
                path=folder / relative,
                speaker=_text(relative.parent.name) or "unknown",
                source=_text(folder.resolve().name),
            )
        )
    if not recordings:
        kinds = ", ".join(sorted(suffix[1:] for suffix in AUDIO_SUFFIXES))
        raise InputError(f"{folder}: no audio files in the folder; put recordings there ({kinds})")
    return recordings


def _audio_files(folder: pathlib.Path) -> Iterable[pathlib.Path]:
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = pathlib.Path(root, name)
            if path.suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                yield path


def _text(name: str) -> str:
    """A file name as text that any file can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _register(id: str, where: str, seen: dict[str, str]) -> None:
    if id in seen:
        raise InputError(f'{where}: the id "{id}" is already that of {seen[id]}; make ids unique')
    seen[id] = where
