"""Minimal pairs of the story grammar: syntax and agreement, phenomenon by phenomenon."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import ClassVar

from slm_jax.corpora import PHENOMENA, Recording, draw_pairs
from slm_jax.files import write_jsonl
from slm_jax.study.written import EVERY_VOICE, SPEECH, TEXT, read_as


@dataclasses.dataclass(frozen=True)
class Task:
    """`pairs` of each phenomenon that no story has; spoken, both sentences in every voice."""

    modalities: ClassVar = (SPEECH, TEXT)

    pairs: int = 50
    voices: tuple[str, ...] = EVERY_VOICE

    def write(self, folder: pathlib.Path, seed: int) -> None:
        rows = (row for phenomenon in PHENOMENA for row in draw_pairs(phenomenon, self.pairs, seed))
        write_jsonl(folder / "pairs.jsonl", rows)

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return read_as(modality, folder / "pairs.jsonl", self.voices)
