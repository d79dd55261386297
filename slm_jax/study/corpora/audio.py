"""Recordings of the user's: folders, manifests, and published corpora."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterable

from slm_jax.corpora import Recording, stream_recordings
from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study.written import SPEECH

LISTING = "audio.json"


@dataclasses.dataclass(frozen=True)
class Corpus:
    """`paths` are each what slm tokenize takes as --audio; the recordings stay where they are."""

    paths: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.paths:
            raise InputError("paths is empty: give a corpus of kind audio its recordings")

    def write(self, folder: pathlib.Path, seed: int) -> None:
        places = [os.path.abspath(path) if os.path.exists(path) else path for path in self.paths]
        for place in places:
            next(iter(stream_recordings(place)))  # refused now, and not after other work
        write_json(folder / LISTING, {"paths": places})

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        places = read_json(folder / LISTING)["paths"]
        if modality != SPEECH:
            raise InputError(f"{places[0]}: has no text for a text tokenizer; use a corpus of kind text")
        return itertools.chain.from_iterable(map(stream_recordings, places))
