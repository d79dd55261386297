"""Log-mel bands as librosa defines them."""

import dataclasses
from typing import ClassVar

import numpy as np

from slm_jax.tokenizer.spectrum import MelEncoder


@dataclasses.dataclass(frozen=True)
class LogMel(MelEncoder):
    """Log-mel encoder: `n_mels` Slaney mel bands in dB on 25 ms Hann windows, with slopes, at `frame_rate`.

    `librosa.power_to_db(librosa.feature.melspectrogram(...)).T` every 10 ms.
    """

    name: ClassVar[str] = "logmel"

    @property
    def dim(self) -> int:
        return self.n_mels * (2 if self.deltas else 1)

    def coefficients(self, wave_S: np.ndarray) -> np.ndarray:
        """The bands at 100 frames a second."""
        return self.log_mel(wave_S)
