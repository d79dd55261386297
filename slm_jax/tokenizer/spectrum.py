"""Mel spectra in dB as librosa defines them, fast enough for whole corpora; what MFCC and log-mel share."""

import abc
import copy
import dataclasses
import functools
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import scipy.fft
import scipy.ndimage

from slm_jax.errors import InputError

BASE_RATE = 100  # features are computed at 100 frames a second and averaged down to `frame_rate`
WINDOW_SECONDS = 0.025
TOP_DB = 80.0  # librosa.power_to_db: nothing is quieter than the loudest bin by more than this
MIN_POWER = 1e-10
DELTA_REACH = 4  # frames on either side of the regression that estimates a slope
SLOPE_FRAMES = 6  # a slope is the change over so many frames: it then varies as much as its coefficient does
MIN_DEVIATION = 1e-3  # dB; a constant coefficient stays zero instead of becoming rounding noise
BLOCK_FRAMES = 1024  # keeps a block of windows inside the cache, and memory flat for long recordings
EXPECTED = {int: "a whole number", bool: "True or False", str: "a text"}  # types of settings

Normalization = Literal["none", "mean", "variance", "speaker_mean", "speaker_variance"]


class Statistics(NamedTuple):
    """Mean and standard deviation of each feature: of a recording, or of all that a speaker says."""

    mean_D: np.ndarray
    deviation_D: np.ndarray


@dataclasses.dataclass(frozen=True)
class MelEncoder(abc.ABC):
    """wave_S (at `sample_rate`) -> features_TxD (at `frame_rate`), from the mel spectrum of 25 ms windows.

    A subclass says with `coefficients` what it makes of the spectrum at 100 frames a second;
    `librosa.feature.delta` slopes over 60 ms are appended, and all is averaged in groups to `frame_rate`.

    `normalization` acts on each feature: "mean" subtracts its mean over the recording, "variance" also
    divides by its standard deviation; "speaker_mean" and "speaker_variance" take these over the recordings of
    the speaker (`speakers.speaker_statistics`). All take away some of the voice and the channel. Those
    of the recording make every frame depend on all of it: the two candidates of a minimal pair then differ
    also where they agree. Those of the speaker do not, but are those of the list of recordings that is
    encoded: the same tokenizer gives a recording other units in another list.
    """

    sample_rate: int = 16_000
    frame_rate: int = 25
    n_mels: int = 40
    deltas: bool = True
    normalization: Normalization = "none"

    name: ClassVar[str]
    on_device: ClassVar[bool] = False
    _speaker: ClassVar[Statistics | None] = None  # of one encoder, not of the class, after `for_speaker`

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, expected = getattr(self, field.name), type(field.default)
            if expected in EXPECTED and type(value) is not expected:
                raise InputError(
                    f"{self.name}: {field.name} must be {EXPECTED[expected]}, "
                    f"found {value!r} ({type(value).__name__})"
                )
        if self.frame_rate <= 0 or BASE_RATE % self.frame_rate:
            raise InputError(f"{self.name}: frame_rate must divide {BASE_RATE}, found {self.frame_rate}")
        if self.sample_rate <= 0 or self.sample_rate % BASE_RATE:
            raise InputError(
                f"{self.name}: sample_rate must be a multiple of {BASE_RATE} Hz, found {self.sample_rate}"
            )
        if self.n_mels < 1:
            raise InputError(f"{self.name}: n_mels must be at least 1, found {self.n_mels}")
        if self.normalization not in Normalization.__args__:
            raise InputError(
                f"{self.name}: normalization must be one of {', '.join(Normalization.__args__)}, "
                f"found {self.normalization!r}"
            )

    @property
    def parameters(self) -> dict:
        """What the class needs to make this encoder again, `MFCC(**parameters)`."""
        return dataclasses.asdict(self)

    @property
    def needs_speaker(self) -> bool:
        """Whether a call needs the statistics of the speaker, which `for_speaker` gives it."""
        return self.normalization.startswith("speaker")

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

    def for_speaker(self, statistics: Statistics | None) -> Self:
        """This encoder for recordings of one speaker; None: it normalizes each by its own statistics."""
        bound = copy.copy(self)  # with the mel filters, which take a while to make
        if statistics is None:
            object.__setattr__(bound, "normalization", self.normalization.removeprefix("speaker_"))
        else:
            object.__setattr__(bound, "_speaker", statistics)
        return bound

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """Features of one recording, float32.

        Raises InputError when the recording is shorter than one frame, or when the statistics of its speaker
        are needed and `for_speaker` did not give them.
        """
        features_TxD = self.unnormalized(wave_S)
        if self.normalization == "none":
            return features_TxD
        statistics = Statistics(features_TxD.mean(axis=0), features_TxD.std(axis=0))
        if self.needs_speaker:
            if self._speaker is None:
                raise InputError(
                    f"{self.name}: normalization {self.normalization!r} needs the statistics of the speaker, "
                    "which are those of a list of recordings; encode the list, or take 'mean' or 'variance'"
                )
            statistics = self._speaker
        features_TxD = features_TxD - statistics.mean_D
        if self.normalization.endswith("variance"):
            features_TxD /= np.maximum(statistics.deviation_D, MIN_DEVIATION)
        return features_TxD

    def unnormalized(self, wave_S: np.ndarray) -> np.ndarray:
        """Features_TxD before normalization, float32; raises InputError for less than one frame."""
        if len(wave_S) * self.frame_rate < self.sample_rate:
            raise InputError(
                f"{len(wave_S) / self.sample_rate:.3f} s of audio is shorter than one frame of "
                f"{1 / self.frame_rate:.3f} s"
            )
        features_TxD = self.coefficients(wave_S)
        if self.deltas:
            features_TxD = np.concatenate([features_TxD, _slopes(features_TxD)], axis=1)
        return _average(features_TxD, BASE_RATE // self.frame_rate)

    @abc.abstractmethod
    def coefficients(self, wave_S: np.ndarray) -> np.ndarray:
        """What the encoder makes of a recording at 100 frames a second, without slopes, float32."""

    def log_mel(self, wave_S: np.ndarray) -> np.ndarray:
        """The mel spectrum db_TxM at 100 frames a second, power_to_db of `librosa.feature.melspectrogram`."""
        db_TxM = 10.0 * np.log10(np.maximum(self._mel_power(wave_S), MIN_POWER))
        return np.maximum(db_TxM, db_TxM.max() - TOP_DB, out=db_TxM)

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
