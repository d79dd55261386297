"""Recordings of the user's: a folder, a manifest, or a published corpus."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

from slm_jax.corpora import Recording, stream_recordings
from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study.written import SPEECH


@dataclasses.dataclass(frozen=True)
class Corpus:
    """`path` is what slm tokenize takes as --audio; the recordings stay where they are."""

    path: str = ""

    def __post_init__(self):
        if not self.path:
            raise InputError("path is empty: give a corpus of kind audio its recordings")

    def write(self, folder: pathlib.Path, seed: int) -> None:
        place = os.path.abspath(self.path) if os.path.exists(self.path) else self.path
        next(iter(stream_recordings(place)))  # refused now, and not after other work
        write_json(folder / "audio.json", {"path": place})

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        place = read_json(folder / "audio.json")["path"]
        if modality != SPEECH:
            raise InputError(f"{place}: recordings have no text for a text tokenizer; use a corpus of text")
        return stream_recordings(place)
