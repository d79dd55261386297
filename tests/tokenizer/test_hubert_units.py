"""A recording's units depend on nothing but the recording: not on batches, neighbours, devices or padding."""

import pickle

import jax
import numpy as np
import pytest
from hubert_folders import save_model, speechlike

from slm_jax.errors import InputError
from slm_jax.tokenizer import HuBERT, Tokenizer
from slm_jax.tokenizer.hubert import program
from slm_jax.tokenizer.units import assign

WAVES = [speechlike(seconds, seed) for seed, seconds in enumerate([0.61, 0.3, 0.62, 0.055, 0.31, 0.6, 0.615])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hubert")
    save_model(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(folder):
    return HuBERT.from_folder(folder, layer=2)


@pytest.fixture(scope="module")
def alone(encoder):
    return [encoder(wave) for wave in WAVES]


def assert_same(features, expected):
    for one, other in zip(features, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_units(encoder, alone):
    """Features to the rounding, and the units of centroids among them to the last one."""
    features = np.concatenate(encoder.many(WAVES))
    np.testing.assert_allclose(features, np.concatenate(alone), atol=1e-5)
    centroids = np.concatenate(alone)[::5] + np.random.default_rng(0).normal(0, 0.3, 32)
    expected = [assign(features_TxD, centroids) for features_TxD in alone]
    assert len(set(np.concatenate(expected).tolist())) > 10
    assert_same(Tokenizer(encoder, centroids).encode_many(WAVES), expected)


@pytest.mark.parametrize("size", [2, 7])
def test_batches_change_no_bit(encoder, alone, size):
    batches = [WAVES[start : start + size] for start in range(0, len(WAVES), size)]
    assert_same([features for batch in batches for features in encoder.many(batch)], alone)


def test_neighbours_change_no_bit(encoder, alone):
    loud = [1e3 * np.sign(speechlike(0.62, seed)) for seed in range(12)]
    assert_same(encoder.many([*loud, WAVES[2], *loud])[12:13], alone[2:3])
    assert_same(encoder.many(WAVES[::-1])[::-1], alone)


def test_the_number_of_devices_changes_no_bit(folder, alone, monkeypatch):
    assert len(jax.local_devices()) == 8
    device = jax.local_devices()[:1]
    monkeypatch.setattr(program.jax, "local_devices", lambda: device)
    assert_same(HuBERT.from_folder(folder, layer=2).many(WAVES), alone)


def test_larger_batches_on_a_device_change_no_unit(folder, alone, monkeypatch):
    """Accelerators take several rows at once; a CPU's products of other sizes may round differently."""
    monkeypatch.setattr(program.Program, "_frames_at_once", 128)
    assert_same_units(HuBERT.from_folder(folder, layer=2), alone)


def test_padding_changes_no_unit(folder, alone, monkeypatch):
    monkeypatch.setattr(program, "bucket", lambda frames: 64)
    assert_same_units(HuBERT.from_folder(folder, layer=2), alone)


def test_lengths_are_padded_by_less_than_an_eighth():
    lengths = np.arange(1, 3000)
    padded = np.array([program.bucket(int(length)) for length in lengths])
    assert (padded >= lengths).all() and (padded * 8 < lengths * 9 + 8).all()
    assert len(set(padded[lengths >= 100])) < 50


def test_a_pickled_encoder_gives_the_same(encoder, alone):
    copy = pickle.loads(pickle.dumps(encoder))
    assert len(pickle.dumps(encoder)) < 10_000
    assert copy == encoder
    assert_same(copy.many(WAVES), alone)


def test_recordings_without_a_frame_are_named_and_harm_no_others(encoder, alone):
    results = encoder.many([np.zeros(399, np.float32), WAVES[0], np.zeros(0, np.float32)])
    assert "0.025 s of audio is shorter than one frame" in str(results[0])
    assert isinstance(results[0], InputError) and isinstance(results[2], InputError)
    assert_same(results[1:2], alone[:1])
    assert encoder.many([]) == []
    with pytest.raises(InputError, match="shorter than one frame"):
        encoder(np.zeros(399, np.float32))


def test_a_saved_tokenizer_is_complete_and_gives_the_same_units(folder, encoder, alone, tmp_path):
    centroids = np.concatenate(alone)[::7]
    tokenizer = Tokenizer(encoder, centroids)
    tokenizer.save(tmp_path / "tokenizer")
    moved = (tmp_path / "tokenizer").rename(tmp_path / "moved")
    loaded = Tokenizer.load(moved)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert str(folder) not in (moved / "tokenizer.json").read_text()
    assert sorted(path.name for path in (moved / "encoder").iterdir()) == ["config.json", "model.safetensors"]
    assert_same(loaded.encode_many(WAVES), tokenizer.encode_many(WAVES))
    loaded.save(moved)
    assert Tokenizer.load(moved).fingerprint == tokenizer.fingerprint


def test_the_fingerprint_moves_with_what_moves_a_feature_and_not_with_the_folder(folder, tmp_path):
    centroids = np.zeros((3, 32))
    changes = [
        {"layer": 1},
        {"layer": 2},
        {"layer": 1, "chunk_seconds": 20.0},
        {"layer": 1, "overlap_seconds": 1.0},
        {"layer": 1, "normalize": True},
        {"layer": 1, "dtype": "bfloat16"},
    ]
    prints = {Tokenizer(HuBERT.from_folder(folder, **change), centroids).fingerprint for change in changes}
    assert len(prints) == len(changes)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert Tokenizer(HuBERT.from_folder(tmp_path, layer=1), centroids).fingerprint in prints
