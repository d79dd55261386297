"""Coarser tokens: SentencePiece pieces of units."""

import dataclasses
import pathlib
from typing import ClassVar

from slm_jax.data import UnitDataset, encode_pieces, fit_pieces
from slm_jax.errors import InputError
from slm_jax.study.tokens import Source
from slm_jax.study.written import SPEECH


@dataclasses.dataclass(frozen=True)
class Tokens:
    """`vocabulary` pieces of the units called `of`, by a "unigram" or "bpe" model."""

    modality: ClassVar = SPEECH

    of: str = ""
    vocabulary: int = 1000
    model: str = "unigram"

    def __post_init__(self):
        if not self.of:
            raise InputError("of is empty: name the units in config.tokens that the pieces are made of")

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.of,)

    def fit(self, source: Source, out: pathlib.Path, seed: int) -> None:
        units = UnitDataset(source.encoded(self.of))
        fit_pieces(units, vocabulary=self.vocabulary, model=self.model, seed=seed).save(out)

    def encode(self, source: Source, tokenizer: pathlib.Path, out: pathlib.Path) -> None:
        encode_pieces(source.encoded(self.of), tokenizer, out)
