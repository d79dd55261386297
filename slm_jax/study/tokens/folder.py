"""Tokens of a tokenizer that is there already, of speech or of text: a folder that slm tokenizer has made."""

import dataclasses
import pathlib
from typing import ClassVar

from slm_jax.data import encode_recordings
from slm_jax.errors import InputError
from slm_jax.study.tokens import Source
from slm_jax.study.written import SPEECH
from slm_jax.study.written import TEXT as WRITTEN
from slm_jax.tokenizer import SPEECH as OF_SPEECH
from slm_jax.tokenizer import TEXT, kind_of, load_tokenizer, read_config


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The tokenizer in the folder `path`, such as HuBERT with published centroids."""

    needs: ClassVar = ()

    path: str = ""

    def __post_init__(self):
        if not self.path:
            raise InputError("path is empty: give the folder of a tokenizer")

    @property
    def modality(self) -> str:
        kind = kind_of(read_config(self.path))
        if kind not in (OF_SPEECH, TEXT):
            raise InputError(
                f"{self.path}: is no tokenizer of speech or text; for pieces use the kind pieces"
            )
        return WRITTEN if kind == TEXT else SPEECH

    def fit(self, source: Source, out: pathlib.Path, seed: int) -> None:
        load_tokenizer(self.path).save(out)

    def encode(self, source: Source, tokenizer: pathlib.Path, out: pathlib.Path) -> None:
        encode_recordings(source.recordings(self.modality), tokenizer, out, name=source.name)
