"""What a fit samples: bounded in memory, independent of order, of workers and of where an encoder runs."""

import dataclasses
import itertools
import tempfile
import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, fit_tokenizer
from slm_jax.tokenizer import features as features_file
from slm_jax.tokenizer import fit as fit_file
from slm_jax.tokenizer.features import recording_features


def recording(id: str, path) -> Recording:
    return Recording(id=id, path=str(path), speaker=f"s{id[-1]}", source="noise", split="train")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    rows = []
    for index in range(12):
        path = folder / f"{index}.wav"
        soundfile.write(path, rng.normal(0, 0.1, 8000 + 1600 * index), 16_000)
        rows.append(recording(f"r{index}", path))
    (folder / "broken.wav").write_bytes(b"RIFF")
    return [*rows, recording("broken", folder / "broken.wav")]


@dataclasses.dataclass(frozen=True)
class OnDevice(MFCC):
    """MFCC as an encoder on a device, which must never be given more than a batch."""

    on_device: ClassVar[bool] = True
    batches: ClassVar[list] = []

    def many(self, waves):
        self.batches.append(sum(map(len, waves)) / self.sample_rate)
        return [self(wave_S) for wave_S in waves]


def fitted(recordings, encoder=None, **options):
    options = {"k": 8, "sample_seconds": 6, "workers": 1} | options
    return fit_tokenizer(recordings, encoder=encoder or MFCC(), **options)


def test_a_stream_in_any_order_gives_the_same_tokenizer(recordings):
    expected = fitted(recordings)
    np.testing.assert_array_equal(fitted(iter(recordings[::-1])).centroids_KxD, expected.centroids_KxD)
    assert not np.array_equal(fitted(recordings, seed=1).centroids_KxD, expected.centroids_KxD)
    assert 150 <= expected.fit["frames"] < 150 + 43  # 6 s, and at most one recording more


def test_an_encoder_on_a_device_gives_the_same_in_bounded_batches(recordings, monkeypatch):
    monkeypatch.setattr(features_file, "BATCH_SECONDS", 2.0)
    OnDevice.batches.clear()
    expected = fitted(recordings, sample_seconds=100)
    on_device = fitted(recordings, OnDevice(), sample_seconds=100, workers=3)
    np.testing.assert_array_equal(on_device.centroids_KxD, expected.centroids_KxD)
    assert len(OnDevice.batches) > 3 and max(OnDevice.batches) <= 2.0


@pytest.mark.parametrize("encoder", [MFCC(), OnDevice()])
def test_features_come_in_order_with_reasons_for_those_that_do_not(recordings, encoder):
    order = [recordings[3], recordings[-1], recordings[0]]
    first, reason, last = recording_features(encoder, order, workers=2)
    assert (len(first), len(last)) == (20, 12)
    assert isinstance(reason, InputError) and "broken.wav" in str(reason)
    assert list(recording_features(encoder, [], workers=2)) == []


def test_a_long_stream_is_not_held_in_memory(recordings):
    def endless():
        for index in range(30_000):
            yield dataclasses.replace(recordings[index % 12], id=f"x{index}")

    tracemalloc.start()
    chosen = fit_file._choose(endless(), 0, 10.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(chosen) == 1020 and peak < 4e6
    assert chosen == fit_file._choose(endless(), 0, 10.0)


def test_normalization_by_speaker_has_its_statistics(recordings):
    tokenizer = fitted(recordings, MFCC(normalization="speaker_variance"), sample_seconds=100)
    assert np.abs(tokenizer.centroids_KxD).max() < 6  # in standard deviations of the speaker
    assert np.abs(fitted(recordings, sample_seconds=100).centroids_KxD).max() > 20


def test_validation_recordings_are_left_out(recordings):
    held_out = [dataclasses.replace(r, split="validation") for r in recordings[:6]]
    both = fitted(itertools.chain(held_out, recordings[6:]), sample_seconds=100)
    np.testing.assert_array_equal(
        both.centroids_KxD, fitted(recordings[6:], sample_seconds=100).centroids_KxD
    )


def test_what_was_used_is_recorded(recordings):
    fit = fitted(recordings).fit
    assert (fit["algorithm"], fit["init"]) == ("full", "k-means++")
    other = fitted(recordings, algorithm="minibatch", init="k-means||")
    assert (other.fit["algorithm"], other.fit["init"]) == ("minibatch", "k-means||")
    features = np.concatenate([MFCC()(soundfile.read(r.path, dtype="float32")[0]) for r in recordings[:-1]])
    everything = fitted(recordings, sample_seconds=100)
    squared = ((features[:, None] - everything.centroids_KxD) ** 2).sum(-1).min(1)
    assert everything.fit["inertia_per_frame"] == pytest.approx(squared.mean(), rel=1e-4)


def test_a_typo_is_refused_before_any_audio_is_read(recordings):
    absent = [recording("a", "/nowhere.wav")]
    with pytest.raises(InputError, match=r"algorithm 'lloyd'.*full"):
        fitted(absent, algorithm="lloyd")
    with pytest.raises(InputError, match=r"init 'kmeans\+\+'.*k-means\+\+"):
        fitted(absent, init="kmeans++")


def test_a_full_disk_for_temporary_files_is_one_sentence(recordings, monkeypatch):
    with open("/dev/full", "wb") as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        with pytest.raises(InputError, match=r"no room for the features, .* 15,600 bytes; set TMPDIR"):
            fitted(recordings)


def test_few_frames_a_unit_are_warned_of(recordings, capsys):
    fitted(recordings, k=6, sample_seconds=100)
    assert "warning" not in capsys.readouterr().err
    fitted(recordings, k=7, sample_seconds=100)
    assert "warning: 312 frames for 7 units, fewer than 50 a unit" in capsys.readouterr().err
