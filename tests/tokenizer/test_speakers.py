"""Speaker-level normalization: statistics over a speaker's recordings, and what they take away."""

import dataclasses
import pickle

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, AudioError, LogMel, features
from slm_jax.tokenizer.speakers import RECORDINGS_PER_SPEAKER, for_speaker, speaker_statistics

RATE = 16_000


def recording_features(recording: Recording, encoder, speakers) -> np.ndarray:
    wave_S, _ = soundfile.read(recording.path, dtype="float32")
    return for_speaker(encoder, speakers.get(recording.speaker))(wave_S)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Recording]:
    """Two speakers with a filter each, twelve recordings of one and three of the other."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    found = []
    for speaker, count, filter_F in (("low", 12, [0.5, 0.5]), ("high", 3, [0.2, -0.2])):
        for index in range(count):
            wave_S = np.convolve(rng.normal(0, 0.1, RATE // 2), filter_F)
            wave_S *= np.abs(np.sin(np.arange(len(wave_S)) / (900 + 50 * index)))
            path = folder / f"{speaker}{index}.wav"
            soundfile.write(path, wave_S.astype(np.float32), RATE, subtype="FLOAT")
            found.append(Recording(path.stem, path, speaker, "test"))
    return found


@pytest.mark.parametrize("kind", [MFCC, LogMel])
def test_features_of_a_speaker_have_the_normalized_moments(recordings, kind):
    encoder = kind(normalization="speaker_variance", frame_rate=100)
    speakers = speaker_statistics(recordings, encoder, workers=1)
    few = [recording for recording in recordings if recording.speaker == "high"]
    assert len(few) < RECORDINGS_PER_SPEAKER
    features_TxD = np.concatenate([recording_features(recording, encoder, speakers) for recording in few])
    assert features_TxD.dtype == np.float32
    np.testing.assert_allclose(features_TxD.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(features_TxD.std(0), 1, atol=1e-3)
    centred = kind(normalization="speaker_mean", frame_rate=100)
    np.testing.assert_allclose(
        recording_features(few[0], centred, speakers),
        kind(frame_rate=100)(soundfile.read(few[0].path, dtype="float32")[0]) - speakers["high"].mean_D,
        atol=1e-4,
    )


def test_statistics_depend_on_neither_order_nor_workers_nor_the_other_speakers(recordings):
    encoder = MFCC(normalization="speaker_mean")
    expected = speaker_statistics(recordings, encoder, workers=1)
    assert set(expected) == {"low", "high"}
    for changed in (
        speaker_statistics(iter(recordings[::-1]), encoder, workers=2),
        speaker_statistics(recordings[:12], encoder, workers=1) | {"high": expected["high"]},
    ):
        for speaker, statistics in expected.items():
            for one, other in zip(statistics, changed[speaker], strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_bounded_sample_of_a_speaker_is_read(recordings):
    many = [
        Recording(f"{copy}-{recording.id}", recording.path, "one", "test")
        for copy in range(3)
        for recording in recordings
    ]
    reads = [0]

    class Counting(MFCC):
        def unnormalized(self, wave_S):
            reads[0] += 1
            return super().unnormalized(wave_S)

    speaker_statistics(many, Counting(normalization="speaker_mean"), workers=1)
    assert reads[0] == RECORDINGS_PER_SPEAKER


def test_other_encoders_need_no_first_pass(tmp_path):
    missing = [Recording("a", tmp_path / "missing.wav", "one", "test")]
    assert speaker_statistics(missing, MFCC(normalization="variance")) == {}


def test_the_unknown_speaker_is_many_and_each_recording_is_normalized_by_itself(recordings, tmp_path):
    missing = Recording("a", tmp_path / "missing.wav", "one", "test")
    unknown = [dataclasses.replace(recording, speaker="unknown") for recording in recordings]
    for kind in ("mean", "variance"):
        encoder = MFCC(normalization=f"speaker_{kind}")
        speakers = speaker_statistics([missing, *unknown], encoder, workers=1)
        assert speakers == {}
        alone = MFCC(normalization=kind)(soundfile.read(recordings[0].path, dtype="float32")[0])
        np.testing.assert_array_equal(recording_features(unknown[0], encoder, speakers), alone)
        (found,) = features.recording_features(encoder, [unknown[0]], workers=1)
        np.testing.assert_array_equal(found, alone)


def test_speakers_filters_are_taken_away(recordings):
    def distance(encoder) -> float:
        speakers = speaker_statistics(recordings, encoder, workers=1)
        means = [
            np.mean(
                [recording_features(r, encoder, speakers).mean(0) for r in recordings if r.speaker == name], 0
            )
            for name in ("low", "high")
        ]
        return float(np.abs(means[0] - means[1]).mean())

    assert distance(MFCC(normalization="speaker_mean")) < 0.1 * distance(MFCC())


def test_an_encoder_for_a_speaker_is_the_same_encoder_in_every_process(recordings):
    encoder = LogMel(normalization="speaker_variance")
    speakers = speaker_statistics(recordings, encoder, workers=1)
    bound = encoder.for_speaker(speakers["low"])
    assert bound == encoder and bound.parameters == encoder.parameters
    wave_S, _ = soundfile.read(recordings[0].path, dtype="float32")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bound))(wave_S), bound(wave_S))
    with pytest.raises(InputError, match="needs the statistics"):
        encoder(wave_S)


def test_an_encoder_that_fails_is_an_error_of_the_recording_alone(recordings):
    class Odd(MFCC):
        def coefficients(self, wave_S):
            raise ZeroDivisionError("odd")

    good, bad = MFCC(normalization="speaker_mean"), Odd(normalization="speaker_mean")
    assert speaker_statistics(recordings[:1], bad, workers=1) == {}
    (found,) = features.recording_features(bad, recordings[:1], workers=1)
    assert isinstance(found, AudioError) and f"{recordings[0].path}: cannot be used (ZeroDivision" in str(
        found
    )
    assert speaker_statistics(recordings[:1], good, workers=1).keys() == {"low"}
