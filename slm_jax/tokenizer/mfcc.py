"""Mel-frequency cepstral coefficients as librosa defines them, fast enough for whole corpora."""

import dataclasses
import functools
from typing import ClassVar, Literal

import numpy as np
import scipy.fft
import scipy.ndimage

from slm_jax.errors import InputError

BASE_RATE = 100  # cepstra are computed at 100 frames a second and averaged down to `frame_rate`
WINDOW_SECONDS = 0.025
TOP_DB = 80.0  # librosa.power_to_db: nothing is quieter than the loudest bin by more than this
MIN_POWER = 1e-10
DELTA_REACH = 4  # frames on either side of the regression that estimates a slope
SLOPE_FRAMES = 6  # a slope is the change over so many frames: it then varies as much as its coefficient does
MIN_DEVIATION = 1e-3  # dB; a constant coefficient stays zero instead of becoming rounding noise
BLOCK_FRAMES = 1024  # keeps a block of windows inside the cache, and memory flat for long recordings

Normalization = Literal["none", "mean", "variance"]


@dataclasses.dataclass(frozen=True)
class MFCC:
    """MFCC encoder: wave_S (at `sample_rate`) -> features_TxD (at `frame_rate`).

    `librosa.feature.mfcc` on 25 ms Hann windows every 10 ms (power spectrum, Slaney mel bands, dB, DCT-II,
    lifter), with `librosa.feature.delta` slopes over 60 ms appended, averaged in groups to `frame_rate`. The
    lifter of 22 (HTK's) gives all coefficients about the same variance, so that all count in a distance.

    `normalization` acts on each coefficient over the recording: "mean" subtracts its mean, "variance" also
    divides by its standard deviation. Both take away some of the voice and the channel, but then every frame
    depends on the whole recording: the two candidates of a minimal pair differ also where they agree.
    """

    sample_rate: int = 16_000
    frame_rate: int = 25
    n_mfcc: int = 13
    n_mels: int = 40
    lifter: int = 22
    deltas: bool = True
    normalization: Normalization = "none"

    name: ClassVar[str] = "mfcc"

    def __post_init__(self):
        if self.frame_rate <= 0 or BASE_RATE % self.frame_rate:
            raise InputError(f"mfcc: frame_rate must divide {BASE_RATE}, found {self.frame_rate}")
        if self.sample_rate <= 0 or self.sample_rate % BASE_RATE:
            raise InputError(
                f"mfcc: sample_rate must be a multiple of {BASE_RATE} Hz, found {self.sample_rate}"
            )
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise InputError(f"mfcc: n_mfcc must lie in 1..n_mels = {self.n_mels}, found {self.n_mfcc}")
        if self.lifter != 0 and self.lifter < self.n_mfcc:
            raise InputError(
                f"mfcc: lifter must be 0 or at least n_mfcc = {self.n_mfcc}, found {self.lifter}"
            )
        if self.normalization not in Normalization.__args__:
            raise InputError(
                f"mfcc: normalization must be one of {', '.join(Normalization.__args__)}, "
                f"found {self.normalization!r}"
            )

    @property
    def parameters(self) -> dict:
        """What `MFCC(**parameters)` needs to be this encoder again."""
        return dataclasses.asdict(self)

    @property
    def dim(self) -> int:
        return self.n_mfcc * (2 if self.deltas else 1)

    @property
    def _hop(self) -> int:
        return self.sample_rate // BASE_RATE

    @property
    def _window(self) -> int:
        return round(self.sample_rate * WINDOW_SECONDS)

    @functools.cached_property
    def _mel_FxM(self) -> np.ndarray:
        import librosa.filters  # two seconds; a copy in a worker process brings the array along

        return librosa.filters.mel(sr=self.sample_rate, n_fft=self._window, n_mels=self.n_mels).T.copy()

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_mel_FxM": self._mel_FxM}

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """Features of one recording, float32.

        Raises InputError when the recording is shorter than one frame.
        """
        if len(wave_S) * self.frame_rate < self.sample_rate:
            raise InputError(
                f"{len(wave_S) / self.sample_rate:.3f} s of audio is shorter than one frame of "
                f"{1 / self.frame_rate:.3f} s"
            )
        features_TxD = self.cepstra(wave_S)
        if self.deltas:
            features_TxD = np.concatenate([features_TxD, _slopes(features_TxD)], axis=1)
        return _normalize(_average(features_TxD, BASE_RATE // self.frame_rate), self.normalization)

    @property
    def _lift_D(self) -> np.ndarray:
        if self.lifter == 0:
            return np.ones(self.n_mfcc, np.float32)
        order_D = np.arange(1, 1 + self.n_mfcc, dtype=np.float32)
        return 1 + self.lifter / 2 * np.sin(np.pi * order_D / self.lifter)

    def cepstra(self, wave_S: np.ndarray) -> np.ndarray:
        """The cepstra at 100 frames a second, `librosa.feature.mfcc(...).T`."""
        db_TxM = 10.0 * np.log10(np.maximum(self._mel_power(wave_S), MIN_POWER))
        np.maximum(db_TxM, db_TxM.max() - TOP_DB, out=db_TxM)
        return scipy.fft.dct(db_TxM, type=2, norm="ortho", axis=1)[:, : self.n_mfcc] * self._lift_D

    def _mel_power(self, wave_S: np.ndarray) -> np.ndarray:
        padded_S = np.pad(wave_S.astype(np.float32, copy=False), self._window // 2)
        windows_TxW = np.lib.stride_tricks.sliding_window_view(padded_S, self._window)[:: self._hop]
        hann_W = np.hanning(self._window + 1)[:-1].astype(np.float32)
        power_TxM = np.empty((len(windows_TxW), self.n_mels), np.float32)
        for start in range(0, len(windows_TxW), BLOCK_FRAMES):
            block = slice(start, start + BLOCK_FRAMES)
            spectrum_TxF = scipy.fft.rfft(windows_TxW[block] * hann_W, axis=1)
            power_TxM[block] = (spectrum_TxF.real**2 + spectrum_TxF.imag**2) @ self._mel_FxM
        return power_TxM


def _slopes(features_TxD: np.ndarray) -> np.ndarray:
    """Least-squares slope over nine frames: `SLOPE_FRAMES * librosa.feature.delta(..., mode="nearest")`."""
    offsets = np.arange(-DELTA_REACH, DELTA_REACH + 1, dtype=np.float32)
    weights = SLOPE_FRAMES * offsets / (offsets**2).sum()
    return scipy.ndimage.correlate1d(features_TxD, weights, axis=0, mode="nearest")


def _average(features_TxD: np.ndarray, group: int) -> np.ndarray:
    """Means of `group` consecutive frames; an incomplete last group is left out."""
    frames = len(features_TxD) // group
    return features_TxD[: frames * group].reshape(frames, group, -1).mean(axis=1)


def _normalize(features_TxD: np.ndarray, normalization: Normalization) -> np.ndarray:
    if normalization != "none":
        features_TxD = features_TxD - features_TxD.mean(axis=0)
    if normalization == "variance":
        features_TxD = features_TxD / np.maximum(features_TxD.std(axis=0), MIN_DEVIATION)
    return features_TxD
