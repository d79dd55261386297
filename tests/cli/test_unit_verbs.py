"""The verbs that make tokenizers and units, each on a person's own files."""

import json

import numpy as np
import pytest

from slm_jax.data import UnitDataset
from slm_jax.tokenizer import Tokenizer, read_config

STORY = """The cat sat near the boxes. It was warm there and she slept.

A boy went to the lake with his father. They saw a red boat and a big bird.

Anna has two brothers. They like apples, and they like to sing in the evening.
"""


@pytest.fixture
def story(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text(STORY)
    return path


def test_an_encoder_is_named_with_its_settings(slm, recordings, tmp_path, capsys):
    fit = ["tokenizer", "fit", "--audio", recordings, "--units", 8, "--workers", 1, "--out", tmp_path / "tok"]
    assert slm(*fit, "--encoder", "logmel", "--set", "frame_rate=50", "--set", "n_mels=20") == 0
    assert "8 units, 50 frames a second" in capsys.readouterr().out
    assert Tokenizer.load(tmp_path / "tok").encoder.n_mels == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder", "wavlm"], "'wavlm' is unknown; the encoders are: hubert, logmel, mfcc"),
        (["--set", "color=blue"], "'mfcc' has no setting 'color'; it has sample_rate, frame_rate"),
        (["--encoder", "hubert", "--weights", "w"], "'hubert' needs 'layer'"),
        (["--encoder", "hubert"], "--weights"),
        (["--encoder", "mfcc", "--weights", "w"], "has no weights"),
        (["--algorithm", "magic"], "magic"),
    ],
)
def test_a_wrong_encoder_is_one_sentence(slm, recordings, tmp_path, capsys, arguments, message):
    fit = ["tokenizer", "fit", "--audio", recordings, "--out", tmp_path / "tok"]
    assert slm(*fit, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "tok").exists()


def test_published_centroids_make_a_tokenizer(slm, tokenizer, tmp_path):
    np.save(tmp_path / "centroids.npy", Tokenizer.load(tokenizer).centroids_KxD)
    assert slm("tokenizer", "import", "--centroids", tmp_path / "centroids.npy", "--out", tmp_path / "t") == 0
    wave_S = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    expected_L = Tokenizer.load(tokenizer).encode(wave_S)
    np.testing.assert_array_equal(Tokenizer.load(tmp_path / "t").encode(wave_S), expected_L)


def test_units_become_pieces_and_come_back(slm, units, tmp_path, capsys):
    make = ["tokenizer", "pieces", "--data", units, "--vocabulary", 20, "--out", tmp_path / "pieces"]
    assert slm(*make) == 0
    encode = ["dataset", "pieces", units, "--tokenizer", tmp_path / "pieces", "--workers", 1]
    assert slm(*encode, "--out", tmp_path / "coarse") == 0
    assert slm("dataset", "units", tmp_path / "coarse", "--workers", 1, "--out", tmp_path / "back") == 0
    before, coarse, after = map(UnitDataset, (units, tmp_path / "coarse", tmp_path / "back"))
    records = range(len(before.lengths("train")))
    assert coarse.lengths("train").sum() < before.lengths("train").sum()
    for expected_L, found_L in zip(before.read("train", records), after.read("train", records), strict=True):
        np.testing.assert_array_equal(found_L, expected_L)
    capsys.readouterr()
    assert slm("dataset", "info", units, tmp_path / "coarse", "--csv", tmp_path / "table.csv") == 0
    assert "bits per second" in capsys.readouterr().out
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3


def test_text_is_spoken_and_encoded_at_once(slm, story, tokenizer, tmp_path):
    encode = ["tokenize", "--text", story, "--tokenizer", tokenizer, "--workers", 1]
    assert slm(*encode, "--out", tmp_path / "units") == 0
    dataset = UnitDataset(tmp_path / "units")
    assert sum(len(dataset.lengths(split)) for split in dataset.splits) == 3
    assert not list(tmp_path.rglob("*.wav"))


def test_a_list_of_parts_is_encoded(slm, recordings, tokenizer, tmp_path):
    cut = ["manifest", recordings, "--max-seconds", 1, "--cut", "uniform", "--out", tmp_path / "parts.jsonl"]
    assert slm(*cut) == 0
    rows = [json.loads(line) for line in (tmp_path / "parts.jsonl").read_text().splitlines()]
    assert len(rows) == 12 * 3 + 1  # tunes of 3 s, and the broken file
    encode = ["tokenize", "--audio", tmp_path / "parts.jsonl", "--tokenizer", tokenizer, "--workers", 1]
    assert slm(*encode, "--out", tmp_path / "units") == 0
    dataset = UnitDataset(tmp_path / "units")
    assert sum(len(dataset.lengths(split)) for split in dataset.splits) == 12 * 3


def test_quality_of_tokenizers_is_a_table(slm, story, tokenizer, tmp_path, capsys):
    assert slm("synthesize", "--text", story, "--out", tmp_path / "speech", "--phones", "--workers", 1) == 0
    capsys.readouterr()
    assert slm("tokenizer", "quality", tokenizer, "--audio", tmp_path / "speech", "--workers", 1) == 0
    assert "PNMI" in capsys.readouterr().out


def test_units_of_another_project_are_imported(slm, tmp_path, capsys):
    (tmp_path / "units.txt").write_text("a|1 2 3 2\nb|4 5 6\n")
    bring = ["dataset", "import", tmp_path / "units.txt", "--format", "textless", "--out", tmp_path / "units"]
    assert slm(*bring) == 2
    assert "give k" in capsys.readouterr().err
    assert slm(*bring, "--units", 10, "--frame-rate", 25) == 0
    assert read_config(tmp_path / "units")["k"] == 10


def test_beam_gives_the_same_dataset(slm, recordings, tokenizer, units, tmp_path):
    pytest.importorskip("apache_beam")
    encode = ["tokenize", "--audio", recordings, "--tokenizer", tokenizer, "--durations"]
    options = "--runner-options=--direct_num_workers=1 --direct_running_mode=in_memory"
    assert slm(*encode, "--runner", "DirectRunner", options, "--out", tmp_path / "units") == 0
    expected, found = UnitDataset(units), UnitDataset(tmp_path / "units")
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "t.txt", "--max-seconds", "5"], "for --audio"),
        (["--audio", "a", "--voices", "us_male"], "--voices speak --text"),
        (["--audio", "a", "--cut", "uniform"], "--max-seconds"),
        (["--audio", "a", "--runner-options=--x=1"], "--runner DirectRunner"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(slm, tmp_path, capsys, arguments, message):
    assert slm("tokenize", *arguments, "--tokenizer", "t", "--out", tmp_path / "units") == 2
    assert message in capsys.readouterr().err


def test_a_place_that_cannot_be_is_found_out_before_the_fit(slm, recordings, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    fit = ["tokenizer", "fit", "--audio", recordings, "--out"]
    assert slm(*fit, tmp_path / "file") == 2
    assert slm(*fit, tmp_path / "file" / "tokenizer") == 2
    assert "features" not in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
