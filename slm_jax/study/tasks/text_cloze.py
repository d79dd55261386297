"""Topic cloze from a text of the user's: how a text ends, against how another one does (as tStoryCloze)."""

import dataclasses
import pathlib
import random
from collections.abc import Iterable
from typing import ClassVar

from slm_jax.corpora import Recording, divide, split_of, written_recordings
from slm_jax.errors import InputError
from slm_jax.files import write_jsonl
from slm_jax.study.written import EVERY_VOICE, SPEECH, TEXT, read_as


@dataclasses.dataclass(frozen=True)
class Task:
    """`items` from the texts of the file at `path`.

    Of `split` "validation" they are those that a corpus of kind text does not train on; with none ("") all
    are taken, from a file that no corpus has. The last sentence of a text follows up to `sentences` before
    it, or the last sentence of another text does; each ending is the right one once and the wrong one once.
    Items have at most `most_words` words.
    """

    modalities: ClassVar = (SPEECH, TEXT)

    path: str = ""
    items: int = 200
    sentences: int = 3
    most_words: int = 50
    split: str = "validation"
    voices: tuple[str, ...] = EVERY_VOICE

    def __post_init__(self):
        if not self.path:
            raise InputError("path is empty: give a task of kind text_cloze its text file")

    def write(self, folder: pathlib.Path, seed: int) -> None:
        found = list(self._endings())
        random.Random(f"text cloze {seed}").shuffle(found)
        if len(found) < max(2, self.items):
            of = f" of the split {self.split}" if self.split else ""
            raise InputError(
                f"{self.path}: {len(found)} texts{of} have a beginning and an ending of {self.most_words} "
                f"words together; ask for fewer items than {self.items}, or give more text"
            )
        chosen = found[: self.items]
        others = [*chosen[1:], chosen[0]]
        rows = (
            {
                "UID": "text_cloze",
                "pairID": id,
                "sentence_good": f"{context} {ending}",
                "sentence_bad": f"{context} {other}",
            }
            for (id, context, ending), (_, _, other) in zip(chosen, others, strict=True)
        )
        write_jsonl(folder / "cloze.jsonl", rows)

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return read_as(modality, folder / "cloze.jsonl", self.voices)

    def _endings(self) -> Iterable[tuple[str, str, str]]:
        """(id, context, ending) of the texts that are long enough and not too long; no ending twice."""
        seen = set()
        for recording in written_recordings(self.path):
            *before, ending = divide(recording.text, 1)
            context = " ".join(before[-self.sentences :])
            words = len(f"{context} {ending}".split())
            fits = before and words <= self.most_words and ending not in seen
            if fits and self.split in ("", split_of(recording)):
                seen.add(ending)
                yield recording.id, context, ending
