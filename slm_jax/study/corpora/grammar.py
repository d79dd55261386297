"""Simple stories from the grammar."""

import dataclasses
import pathlib
from collections.abc import Iterable

from slm_jax.corpora import Recording, write_corpus
from slm_jax.study.written import EVERY_VOICE, read_as


@dataclasses.dataclass(frozen=True)
class Corpus:
    """`stories` of about 17 seconds, each in one of the voices."""

    stories: int = 3000
    voices: tuple[str, ...] = EVERY_VOICE

    def write(self, folder: pathlib.Path, seed: int) -> None:
        write_corpus(folder, stories=self.stories, pairs_per_phenomenon=0, cloze_items=0, seed=seed)

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return read_as(modality, folder / "stories.jsonl", self.voices)
