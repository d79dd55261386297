"""The MFCC encoder against librosa, step by step and as a whole."""

import pickle

import librosa
import numpy as np
import pytest

from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC


def noise(seconds: float, rate: int = 16_000) -> np.ndarray:
    rng = np.random.default_rng(3)
    samples = int(seconds * rate)
    loudness = 0.3 * np.abs(np.sin(np.arange(samples) / rate * 9)) ** 3
    return (loudness * np.cumsum(rng.normal(0, 0.1, samples) * 0.5) / 20).astype(np.float32)


def librosa_mfcc(wave: np.ndarray, rate: int, lifter: int) -> np.ndarray:
    window = {"n_fft": rate // 40, "hop_length": rate // 100}
    return librosa.feature.mfcc(y=wave, sr=rate, n_mfcc=13, n_mels=40, lifter=lifter, **window).T


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
@pytest.mark.parametrize("seconds", [0.05, 0.31, 25.003])
@pytest.mark.parametrize("lifter", [0, 22])
def test_cepstra_are_librosas(rate, seconds, lifter):
    wave = noise(seconds, rate)
    cepstra = MFCC(sample_rate=rate, lifter=lifter).coefficients(wave)
    assert cepstra.dtype == np.float32
    atol = 1e-3 * (1 + lifter / 2)  # the lifter multiplies by up to this much
    np.testing.assert_allclose(cepstra, librosa_mfcc(wave, rate, lifter), rtol=0, atol=atol)


@pytest.mark.parametrize("frame_rate", [25, 50, 100])
def test_features_are_librosas_averaged_and_normalized(frame_rate):
    wave = noise(3.0)
    cepstra = librosa_mfcc(wave, 16_000, lifter=0)
    slopes = 6 * librosa.feature.delta(cepstra.T, mode="nearest").T
    features = np.concatenate([cepstra, slopes], axis=1)
    group = 100 // frame_rate
    features = np.stack(
        [features[start : start + group].mean(0) for start in range(0, len(features) - group + 1, group)]
    )
    for normalization, expected in {
        "none": features,
        "mean": features - features.mean(0),
        "variance": (features - features.mean(0)) / features.std(0),
    }.items():
        encoder = MFCC(frame_rate=frame_rate, lifter=0, normalization=normalization)
        encoded = encoder(wave)
        assert encoded.dtype == np.float32 and encoded.shape[1] == encoder.dim
        np.testing.assert_allclose(encoded, expected, rtol=0, atol=1e-3)


def test_normalization_removes_gain_and_most_of_a_fixed_filter():
    wave = noise(4.0)
    filtered = np.convolve(wave, [1.0, -0.7], mode="same").astype(np.float32)
    plain, centred = MFCC(normalization="none", lifter=0), MFCC(normalization="mean", lifter=0)
    np.testing.assert_allclose(centred(0.2 * wave), centred(wave), atol=1e-3)
    changed = np.abs(plain(wave) - plain(filtered)).mean()
    assert np.abs(centred(wave) - centred(filtered)).mean() < 0.7 * changed


def test_silence_and_single_frames_give_finite_features():
    assert np.isfinite(MFCC()(np.zeros(16_000, np.float32))).all()
    assert MFCC()(noise(0.04)).shape == (1, 26)


def test_less_than_a_frame_is_refused():
    with pytest.raises(InputError, match="shorter than one frame"):
        MFCC()(noise(0.039))
    assert len(MFCC(frame_rate=100)(noise(0.011))) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"frame_rate": 30},
        {"frame_rate": 0},
        {"n_mfcc": 41},
        {"lifter": 3},
        {"normalization": "max"},
        {"sample_rate": 11_025},
        {"n_mfcc": 13.0},
        {"n_mfcc": "13"},
        {"lifter": True},
        {"deltas": 1},
        {"frame_rate": "a"},
        {"frame_rate": None},
        {"normalization": 3},
    ],
)
def test_impossible_parameters_name_the_field(parameters):
    ((field, value),) = parameters.items()
    with pytest.raises(InputError, match=f"mfcc: {field} must .*found {value!r}"):
        MFCC(**parameters)


def test_parameters_and_pickle_give_the_same_encoder():
    encoder, wave = MFCC(frame_rate=50, n_mfcc=12), noise(1.0)
    for copy in (MFCC(**encoder.parameters), pickle.loads(pickle.dumps(encoder))):
        assert copy == encoder
        np.testing.assert_array_equal(copy(wave), encoder(wave))
