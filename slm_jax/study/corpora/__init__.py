"""The kinds of corpora that a study can train on, one file each: a dataclass Corpus of its settings."""

import pathlib
from collections.abc import Iterable
from typing import Protocol

from slm_jax.corpora import Recording


class Corpus(Protocol):
    """What the models of an arm are trained on. Its fields are settings in the config of a study."""

    def write(self, folder: pathlib.Path, seed: int) -> None:
        """Writes into an empty folder what `recordings` needs; the same arguments give the same bytes."""

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        """The recordings of the corpus as "speech" or, with the same ids, splits and texts, as "text"."""
