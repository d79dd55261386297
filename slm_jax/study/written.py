"""Texts as what a study reads of them: speech, synthesized when it is needed, or the text itself."""

import os
from collections.abc import Iterable, Sequence

from slm_jax.corpora import VOICES, Recording, text_recordings, written_recordings

SPEECH, TEXT = "speech", "text"
EVERY_VOICE = tuple(VOICES)


def read_as(
    modality: str, path: str | os.PathLike, voices: Sequence[str] = EVERY_VOICE
) -> Iterable[Recording]:
    """The texts of a file (`corpora.text_recordings`) spoken in these voices, or written."""
    return text_recordings(path, voices) if modality == SPEECH else written_recordings(path)
