"""Units of speech: k-means clusters of an encoder's features."""

import dataclasses
import pathlib
from typing import ClassVar

from slm_jax.data import encode_recordings
from slm_jax.study.tokens import Source
from slm_jax.study.written import SPEECH
from slm_jax.tokenizer import fit_tokenizer, new_encoder


@dataclasses.dataclass(frozen=True)
class Tokens:
    """`units` clusters of the features of `encoder`, `frame_rate` a second, repeats removed.

    `settings` are further ones of the encoder; one with weights takes them from the folder `weights`.
    """

    modality: ClassVar = SPEECH
    needs: ClassVar = ()

    encoder: str = "mfcc"
    frame_rate: int = 25
    units: int = 200
    collapse: bool = True
    sample_seconds: float = 3600.0
    weights: str = ""
    settings: dict[str, object] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.weights:
            self._encoder()  # a setting that is wrong is refused before the work

    def fit(self, source: Source, out: pathlib.Path, seed: int) -> None:
        tokenizer = fit_tokenizer(
            source.recordings(SPEECH),
            encoder=self._encoder(),
            k=self.units,
            seed=seed,
            sample_seconds=self.sample_seconds,
            collapse=self.collapse,
        )
        tokenizer.save(out)

    def encode(self, source: Source, tokenizer: pathlib.Path, out: pathlib.Path) -> None:
        encode_recordings(source.recordings(SPEECH), tokenizer, out, name=source.name)

    def _encoder(self):
        settings = self.settings if self.weights else {"frame_rate": self.frame_rate} | self.settings
        return new_encoder(self.encoder, settings, weights=self.weights or None)
