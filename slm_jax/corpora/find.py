"""Recordings by the one name a user gives: a manifest, a folder, a corpus, a TFDS data set."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.adapters import ADAPTERS
from slm_jax.corpora.fairseq import stream_tsv
from slm_jax.corpora.folder import stream_folder
from slm_jax.corpora.manifest import MANIFEST, stream_manifest
from slm_jax.corpora.recording import AUDIO_SUFFIXES, TFDS, Recording, unique
from slm_jax.errors import InputError

MANIFESTS = (".jsonl", ".json", ".tsv")


def find_recordings(path: str | os.PathLike) -> list[Recording]:
    """What `stream_recordings` yields, as a list; raises InputError when two have the same id."""
    return unique(_located(path))


def stream_recordings(path: str | os.PathLike) -> Iterator[Recording]:
    """The recordings one name stands for, one by one, never all in memory (so an id may occur twice):

    - a manifest: JSON lines, or fairseq's .tsv,
    - a folder with a manifest.jsonl, or any folder of audio files,
    - `CORPUS:FOLDER`, such as librispeech:/data/LibriSpeech: one of ADAPTERS,
    - `tfds:NAME`, such as tfds:librispeech/clean: an audio data set that TFDS has prepared on this machine.

    Raises InputError when there is no such thing, and for what each of these raises.
    """
    return (recording for _, recording in _located(path))


def _located(path: str | os.PathLike) -> Iterator[tuple[str, Recording]]:
    kind, _, place = os.fspath(path).partition(":")
    if place and kind in ADAPTERS:
        return _by_path(ADAPTERS[kind](place))
    if place and kind == TFDS.rstrip(":"):
        from slm_jax.corpora.tfds_audio import tfds_recordings  # imports TFDS, which files do not need

        return _by_path(tfds_recordings(os.fspath(path)))
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a manifest (.jsonl), a folder of audio files, tfds:NAME, "
            f"or CORPUS:FOLDER with a corpus of {', '.join(ADAPTERS)}"
        )
    if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
        raise InputError(f"{path}: is a recording; give its folder, or a manifest (.jsonl) that lists it")
    if path.is_file() and path.suffix.lower() not in MANIFESTS:
        raise InputError(
            f"{path}: is neither audio nor a manifest ({', '.join(MANIFESTS)}); for text use --text, and "
            "unpack an archive"
        )
    if path.is_dir():
        manifest = path / MANIFEST
        return stream_manifest(manifest) if manifest.exists() else stream_folder(path)
    return stream_tsv(path) if path.suffix.lower() == ".tsv" else stream_manifest(path)


def _by_path(recordings: Iterator[Recording]) -> Iterator[tuple[str, Recording]]:
    return ((os.fspath(recording.path), recording) for recording in recordings)
