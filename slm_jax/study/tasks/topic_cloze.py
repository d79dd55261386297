"""Topic cloze of the story grammar: the ending of a story against that of one on another topic."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import ClassVar

from slm_jax.corpora import Recording, draw_cloze
from slm_jax.files import write_jsonl
from slm_jax.study.written import EVERY_VOICE, SPEECH, TEXT, read_as


@dataclasses.dataclass(frozen=True)
class Task:
    """`items`, of which no ending is in a story; spoken, with either ending in one breath, in every voice."""

    modalities: ClassVar = (SPEECH, TEXT)

    items: int = 80
    voices: tuple[str, ...] = EVERY_VOICE

    def write(self, folder: pathlib.Path, seed: int) -> None:
        rows = (
            {
                "UID": "topic_cloze",
                "pairID": item["id"],
                "sentence_good": f"{item['context']} {item['ending_good']}",
                "sentence_bad": f"{item['context']} {item['ending_bad']}",
            }
            for item in draw_cloze(self.items, seed)
        )
        write_jsonl(folder / "cloze.jsonl", rows)

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return read_as(modality, folder / "cloze.jsonl", self.voices)
