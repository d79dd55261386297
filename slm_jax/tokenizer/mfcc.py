"""Mel-frequency cepstral coefficients as librosa defines them."""

import dataclasses
from typing import ClassVar

import numpy as np
import scipy.fft

from slm_jax.errors import InputError
from slm_jax.tokenizer.spectrum import MelEncoder


@dataclasses.dataclass(frozen=True)
class MFCC(MelEncoder):
    """MFCC encoder: `librosa.feature.mfcc` on 25 ms Hann windows every 10 ms, with slopes, at `frame_rate`.

    Power spectrum, Slaney mel bands, dB, DCT-II, lifter. The lifter of 22 (HTK's) gives all coefficients
    about the same variance, so that all count in a distance.
    """

    n_mfcc: int = 13
    lifter: int = 22

    name: ClassVar[str] = "mfcc"

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise InputError(f"mfcc: n_mfcc must lie in 1..n_mels = {self.n_mels}, found {self.n_mfcc}")
        if self.lifter != 0 and self.lifter < self.n_mfcc:
            raise InputError(
                f"mfcc: lifter must be 0 or at least n_mfcc = {self.n_mfcc}, found {self.lifter}"
            )

    @property
    def dim(self) -> int:
        return self.n_mfcc * (2 if self.deltas else 1)

    def coefficients(self, wave_S: np.ndarray) -> np.ndarray:
        """The cepstra at 100 frames a second, `librosa.feature.mfcc(...).T`."""
        cepstra_TxM = scipy.fft.dct(self.log_mel(wave_S), type=2, norm="ortho", axis=1)
        return cepstra_TxM[:, : self.n_mfcc] * self._lift_D

    @property
    def _lift_D(self) -> np.ndarray:
        if self.lifter == 0:
            return np.ones(self.n_mfcc, np.float32)
        order_D = np.arange(1, 1 + self.n_mfcc, dtype=np.float32)
        return 1 + self.lifter / 2 * np.sin(np.pi * order_D / self.lifter)
