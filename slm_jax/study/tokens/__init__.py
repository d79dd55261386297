"""The kinds of tokens that a study can model, one file each: a dataclass Tokens of its settings."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import Protocol

from slm_jax.corpora import Recording


@dataclasses.dataclass(frozen=True)
class Source:
    """A corpus or a task as tokens see it.

    `recordings(modality)` are its recordings; `encoded(tokens)` is the folder of its dataset in other tokens
    of the study, which are in `Tokens.needs`.
    """

    name: str
    recordings: Callable[[str], Iterable[Recording]]
    encoded: Callable[[str], pathlib.Path]


class Tokens(Protocol):
    """What the models of an arm read. Its fields are settings in the config of a study."""

    modality: str  # "speech" or "text"
    needs: tuple[str, ...]  # other tokens of the study that are made first

    def fit(self, source: Source, out: pathlib.Path, seed: int) -> None:
        """Writes the folder of a tokenizer, made from a corpus."""

    def encode(self, source: Source, tokenizer: pathlib.Path, out: pathlib.Path) -> None:
        """Writes the dataset of a corpus or a task, whole or not at all."""
