"""A text file of the user's: plain text, or JSON lines."""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterable

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.study.written import EVERY_VOICE, read_as


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The file at `path` (docs/corpora.md says how it is read), each of its texts in one of the voices.

    Of a long file only the texts before the one that would make it more than `most_words` (0: all).
    """

    path: str = ""
    most_words: int = 0
    voices: tuple[str, ...] = EVERY_VOICE

    def __post_init__(self):
        if not self.path:
            raise InputError("path is empty: give a corpus of kind text its file")

    def write(self, folder: pathlib.Path, seed: int) -> None:
        if not pathlib.Path(self.path).is_file():
            raise InputError(f"{self.path}: no such text file")
        shutil.copyfile(self.path, self._file(folder))

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        words = 0
        for recording in read_as(modality, self._file(folder), self.voices):
            words += len(recording.text.split())
            if self.most_words and words > self.most_words:
                return
            yield recording

    def _file(self, folder: pathlib.Path) -> pathlib.Path:
        return folder / pathlib.Path(self.path).name
