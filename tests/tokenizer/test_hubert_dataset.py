"""From recordings, spoken on the fly and in files, to a dataset of HuBERT units."""

import pathlib

import numpy as np
import pytest
import soundfile
from hubert_folders import hidden_states, save_model, speechlike
from scipy.spatial.distance import cdist

from slm_jax.corpora import Recording
from slm_jax.corpora.synthesis import render
from slm_jax.data import UnitDataset, encode_recordings
from slm_jax.tokenizer import HuBERT, Tokenizer
from slm_jax.tokenizer.units import collapse

VOICE = "us_female"
TEXTS = [f"Tom saw the {animal} by the river." for animal in ("fox", "cow", "bird", "cat", "frog", "goat")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, a tokenizer of it, recordings, and the waveform of each."""
    folder = tmp_path_factory.mktemp("hubert")
    model = save_model(folder / "model")
    encoder = HuBERT.from_folder(folder / "model", layer=1)
    rng = np.random.default_rng(0)
    features = np.concatenate(encoder.many([speechlike(2, 1), render(TEXTS[0], VOICE, 16_000) / 32768]))
    Tokenizer(encoder, features[rng.choice(len(features), 40, replace=False)]).save(folder / "tokenizer")
    recordings, waves = [], {}
    for index, text in enumerate(TEXTS):
        recordings.append(
            Recording(f"spoken-{index}", pathlib.Path(f"espeak:{VOICE}"), VOICE, "spoken", "train", text)
        )
        waves[recordings[-1].id] = render(text, VOICE, 16_000).astype(np.float32) / 32768
    for index, seconds in enumerate([0.01, 0.8, 1.1]):
        path = folder / f"{index}.wav"
        waves[f"file-{index}"] = speechlike(seconds, index)
        soundfile.write(path, waves[f"file-{index}"], 16_000, subtype="FLOAT")
        recordings.append(Recording(f"file-{index}", path, "someone", "files", "train"))
    return model, folder, recordings, waves


def test_a_dataset_holds_the_units_of_every_recording(made, tmp_path):
    model, folder, recordings, waves = made
    options = {"name": "test", "durations": True, "records_per_shard": 4}
    skipped = encode_recordings(recordings, folder / "tokenizer", tmp_path / "out", **options)
    assert [row["id"] for row in skipped] == ["file-0"] and "shorter than one frame" in skipped[0]["reason"]
    dataset, tokenizer = UnitDataset(tmp_path / "out"), Tokenizer.load(folder / "tokenizer")
    dataset.validate()
    assert dataset.tokenizer_fingerprint == tokenizer.fingerprint
    rows = {row["id"]: row for row in dataset.examples("train")}
    assert rows.keys() == waves.keys() - {"file-0"}
    for id, row in rows.items():
        states_TxD = hidden_states(model, waves[id])[1]
        nearest = cdist(states_TxD, tokenizer.centroids_KxD).argmin(1)
        units, runs = collapse(nearest)
        assert len(units) > 10
        np.testing.assert_array_equal(row["units"], units)
        np.testing.assert_array_equal(row["runs"], runs)


def test_a_second_run_writes_the_same_bytes(made, tmp_path):
    _, folder, recordings, _ = made
    for out, given in (("one", recordings), ("two", recordings[::-1])):
        encode_recordings(given, folder / "tokenizer", tmp_path / out, name="test", records_per_shard=4)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
