"""TinyStories (Eldan and Li 2023) as speech, the study's sTinyStories: spoken when a story is needed."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

from slm_jax.corpora.adapters.layout import expect, files
from slm_jax.corpora.recording import Recording
from slm_jax.corpora.split import SPLITS
from slm_jax.corpora.text import text_recordings
from slm_jax.errors import InputError

LAYOUT = "a text file of stories, or TinyStories-train.txt and TinyStories-valid.txt in a folder"


def tinystories(root: str | os.PathLike, *, voices: Sequence[str] = ("us_female",)) -> Iterator[Recording]:
    """The stories of a text file, or of a folder with one for each split; in one voice, as the study.

    A file's split is the last word of its name (train, valid); without one it is by the hash of each story.
    Raises InputError for another layout, a folder with two files for a split, or an unknown voice.
    """
    return expect(_recordings(pathlib.Path(root), voices), root, LAYOUT)


def _recordings(root: pathlib.Path, voices: Sequence[str]) -> Iterator[Recording]:
    texts: dict[str | None, pathlib.Path] = {}
    for path in [root] if root.is_file() else files(root, ".txt"):
        split = SPLITS.get(re.split(r"[-_.]", path.stem)[-1].lower())
        if split in texts and split:
            raise InputError(
                f"{root}: {texts[split].name} and {path.name} are both for {split}; name one file"
            )
        if split or root.is_file():
            texts[split] = path
    for split, path in texts.items():
        for recording in text_recordings(path, voices):
            yield dataclasses.replace(recording, source="tinystories", split=split)
