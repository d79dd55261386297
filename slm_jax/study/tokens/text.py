"""Tokens of text: characters, or SentencePiece pieces."""

import dataclasses
import pathlib
from typing import ClassVar

from slm_jax.corpora import split_of
from slm_jax.data import encode_recordings
from slm_jax.study.tokens import Source
from slm_jax.study.written import TEXT
from slm_jax.tokenizer import fit_text_tokenizer


@dataclasses.dataclass(frozen=True)
class Tokens:
    """`vocabulary` pieces by a "unigram" or "bpe" model, or all "characters", however many they are."""

    modality: ClassVar = TEXT
    needs: ClassVar = ()

    model: str = "unigram"
    vocabulary: int = 500
    lower_case: bool = True

    def fit(self, source: Source, out: pathlib.Path, seed: int) -> None:
        texts = (r.text for r in source.recordings(TEXT) if split_of(r) == "train")
        if self.model == "characters":
            fit_text_tokenizer(texts, out, kind="characters", lower_case=self.lower_case)
        else:
            fit_text_tokenizer(
                texts, out, vocab=self.vocabulary, model=self.model, lower_case=self.lower_case
            )

    def encode(self, source: Source, tokenizer: pathlib.Path, out: pathlib.Path) -> None:
        encode_recordings(source.recordings(TEXT), tokenizer, out, name=source.name)
