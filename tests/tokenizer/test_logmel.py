"""The log-mel encoder against librosa, and what it shares with MFCC."""

import pickle

import librosa
import numpy as np
import pytest

from slm_jax.errors import InputError
from slm_jax.tokenizer import LogMel, make_encoder


def speech_like(seconds: float, rate: int = 16_000) -> np.ndarray:
    rng = np.random.default_rng(5)
    time_S = np.arange(int(seconds * rate)) / rate
    voice_S = sum(np.sin(2 * np.pi * 120 * harmonic * time_S) / harmonic for harmonic in range(1, 20))
    wave_S = 0.1 * voice_S * np.abs(np.sin(4 * time_S)) ** 3 + rng.normal(0, 1e-3, len(time_S))
    return wave_S.astype(np.float32)


def librosa_bands(wave_S: np.ndarray, rate: int, bands: int) -> np.ndarray:
    power_MxT = librosa.feature.melspectrogram(
        y=wave_S, sr=rate, n_mels=bands, n_fft=rate // 40, hop_length=rate // 100
    )
    return librosa.power_to_db(power_MxT).T


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("bands", [20, 40])
def test_bands_are_librosas(rate, bands):
    wave_S = speech_like(12.3, rate)
    db_TxM = LogMel(sample_rate=rate, n_mels=bands).coefficients(wave_S)
    assert db_TxM.dtype == np.float32
    np.testing.assert_allclose(db_TxM, librosa_bands(wave_S, rate, bands), rtol=0, atol=1e-3)


@pytest.mark.parametrize("frame_rate", [25, 50, 100])
def test_features_are_bands_and_slopes_averaged(frame_rate):
    wave_S = speech_like(2.0)
    bands_TxM = librosa_bands(wave_S, 16_000, 40)
    slopes_TxM = 6 * librosa.feature.delta(bands_TxM.T, mode="nearest").T
    group = 100 // frame_rate
    expected = np.concatenate([bands_TxM, slopes_TxM], axis=1)
    expected = expected[: len(expected) // group * group].reshape(-1, group, 80).mean(1)
    encoder = LogMel(frame_rate=frame_rate)
    np.testing.assert_allclose(encoder(wave_S), expected, rtol=0, atol=1e-3)
    assert encoder.dim == 80
    without = LogMel(frame_rate=frame_rate, deltas=False)
    np.testing.assert_allclose(without(wave_S), expected[:, :40], rtol=0, atol=1e-3)
    assert without.dim == 40


def test_variance_normalization_gives_zero_mean_and_unit_deviation():
    features_TxD = LogMel(normalization="variance")(speech_like(3.0))
    np.testing.assert_allclose(features_TxD.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(features_TxD.std(0), 1, atol=1e-3)


def test_it_is_found_by_name_and_survives_a_pickle():
    encoder = make_encoder("logmel", {"frame_rate": 50, "n_mels": 30})
    assert encoder == LogMel(frame_rate=50, n_mels=30)
    assert make_encoder(encoder.name, encoder.parameters) == encoder
    copy, wave_S = pickle.loads(pickle.dumps(encoder)), speech_like(0.5)
    np.testing.assert_array_equal(copy(wave_S), encoder(wave_S))


@pytest.mark.parametrize("parameters", [{"frame_rate": 30}, {"n_mels": 0}, {"normalization": "max"}])
def test_impossible_parameters_name_the_encoder_and_the_field(parameters):
    with pytest.raises(InputError, match=f"logmel: {next(iter(parameters))}"):
        LogMel(**parameters)
