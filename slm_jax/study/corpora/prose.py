"""Prose as audiobooks have it, from the second grammar."""

import dataclasses
import pathlib
from collections.abc import Iterable

from slm_jax.corpora import Recording, write_prose
from slm_jax.study.written import EVERY_VOICE, read_as


@dataclasses.dataclass(frozen=True)
class Corpus:
    """`passages`, each in one of the voices; 0.76 of them have the words of one story."""

    passages: int = 2280
    voices: tuple[str, ...] = EVERY_VOICE

    def write(self, folder: pathlib.Path, seed: int) -> None:
        write_prose(folder, passages=self.passages, seed=seed)

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return read_as(modality, folder / "prose.jsonl", self.voices)
