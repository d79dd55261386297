"""Recordings by the one name a user gives: a manifest, a folder, a corpus, a TFDS data set."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.fairseq import stream_tsv
from slm_jax.corpora.folder import stream_folder
from slm_jax.corpora.manifest import MANIFEST, stream_manifest
from slm_jax.corpora.recording import AUDIO_SUFFIXES, Recording, unique
from slm_jax.errors import InputError


def find_recordings(path: str | os.PathLike) -> list[Recording]:
    """What `stream_recordings` yields, as a list; raises InputError when two have the same id."""
    return unique(_located(path))


def stream_recordings(path: str | os.PathLike) -> Iterator[Recording]:
    """The recordings of a manifest (.jsonl, or fairseq's .tsv), of a folder with a manifest.jsonl, or of a
    folder of audio files: one by one, never all in memory, so that an id that occurs twice is not found out.
    """
    return (recording for _, recording in _located(path))


def _located(path: str | os.PathLike) -> Iterator[tuple[str, Recording]]:
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a manifest (.jsonl) or a folder of audio files"
        )
    if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
        raise InputError(f"{path}: is a recording; give its folder, or a manifest (.jsonl) that lists it")
    if path.is_dir():
        manifest = path / MANIFEST
        return stream_manifest(manifest) if manifest.exists() else stream_folder(path)
    return stream_tsv(path) if path.suffix == ".tsv" else stream_manifest(path)
