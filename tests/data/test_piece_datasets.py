"""Datasets of pieces: all but the tokens stays, the units come back, and training reads them as they are."""

import numpy as np
import pytest

from slm_jax.data import (
    PairsDataset,
    UnitDataset,
    Windows,
    decode_pieces,
    encode_pieces,
    fit_pieces,
    open_dataset,
    write_dataset,
)
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, PieceTokenizer, Tokenizer

K = 30
VOCABULARY = 60


@pytest.fixture
def pieces_dir(tmp_path, unit_dir):
    fit_pieces(UnitDataset(unit_dir), vocabulary=VOCABULARY).save(tmp_path / "pieces")
    return tmp_path / "pieces"


def test_units_become_pieces_and_come_back_byte_by_byte(tmp_path, unit_dir, pieces_dir):
    encode_pieces(unit_dir, pieces_dir, tmp_path / "encoded", workers=1)
    units, encoded = UnitDataset(unit_dir), UnitDataset(tmp_path / "encoded")
    pieces = PieceTokenizer.load(pieces_dir)
    encoded.validate()
    assert (encoded.vocab_size, encoded.eos, encoded.pad) == (VOCABULARY + 2, VOCABULARY, VOCABULARY + 1)
    assert encoded.tokenizer_fingerprint == pieces.fingerprint and encoded.splits == units.splits
    for split in units.splits:
        for old, new in zip(units.examples(split), encoded.examples(split), strict=True):
            assert {**old, "units": None} == {**new, "units": None}
            spelled = np.concatenate([pieces.pieces[piece] for piece in new["units"]])
            np.testing.assert_array_equal(spelled, old["units"])
    assert encoded.lengths("train").sum() < units.lengths("train").sum()

    decode_pieces(tmp_path / "encoded", tmp_path / "decoded", workers=1)
    decoded = UnitDataset(tmp_path / "decoded")
    assert decoded.tokenizer_fingerprint == units.tokenizer_fingerprint
    for shard in unit_dir.glob("*array_record*"):
        assert (decoded.directory / shard.name).read_bytes() == shard.read_bytes()


def test_workers_do_not_matter(tmp_path, unit_dir, pieces_dir):
    for workers in (1, 2):
        encode_pieces(unit_dir, pieces_dir, tmp_path / str(workers), workers=workers)
    assert open_dataset(tmp_path / "1").fingerprint == open_dataset(tmp_path / "2").fingerprint


def test_pairs_become_pairs_of_pieces(tmp_path, tokenizer_dir, pieces_dir, pair_examples):
    write_dataset(
        tmp_path / "pairs", {"test": pair_examples}, name="pairs", kind="pairs", tokenizer_dir=tokenizer_dir
    )
    encode_pieces(tmp_path / "pairs", pieces_dir, tmp_path / "encoded", workers=1)
    pieces = PieceTokenizer.load(pieces_dir)
    candidates = PairsDataset(tmp_path / "encoded").candidates()
    for candidate, row in zip(candidates, pair_examples, strict=True):
        assert (candidate.group, candidate.correct) == (row["group"], row["correct"])
        np.testing.assert_array_equal(pieces.decode(candidate.units), row["units"])


def test_training_windows_spell_the_stream_of_units(tmp_path, unit_dir, pieces_dir):
    encode_pieces(unit_dir, pieces_dir, tmp_path / "encoded", workers=1)
    dataset, pieces = UnitDataset(tmp_path / "encoded"), PieceTokenizer.load(pieces_dir)
    windows = Windows(dataset, "train", 64)
    stream = np.concatenate([windows[0], *(windows[index][1:] for index in range(1, len(windows)))])
    records = np.split(stream, np.flatnonzero(stream == dataset.eos))
    found = [pieces.decode(record[record != dataset.eos]) for record in records[:-1]]
    expected = UnitDataset(unit_dir).read("train", range(len(found)))
    assert len(found) > 100
    for units, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(units, wanted)


def test_frames_of_units_become_frames_of_pieces(tmp_path, tokenizer_dir, examples):
    rng = np.random.default_rng(5)
    for rows in examples.values():
        for row in rows:
            row["runs"] = rng.integers(1, 9, len(row["units"])).astype(np.uint16)
    write_dataset(
        tmp_path / "units", examples, name="x", kind="units", tokenizer_dir=tokenizer_dir, durations=True
    )
    fit_pieces(UnitDataset(tmp_path / "units"), vocabulary=VOCABULARY, model="bpe").save(tmp_path / "bpe")
    encode_pieces(tmp_path / "units", tmp_path / "bpe", tmp_path / "encoded", workers=1)
    pieces = PieceTokenizer.load(tmp_path / "bpe")
    for row, new in zip(examples["train"], UnitDataset(tmp_path / "encoded").examples("train"), strict=True):
        ends = np.cumsum([len(pieces.pieces[piece]) for piece in new["units"]])
        sums = [int(part.sum()) for part in np.split(row["runs"], ends[:-1])]
        assert new["runs"].tolist() == sums
    decode_pieces(tmp_path / "encoded", tmp_path / "decoded", workers=1)
    assert "runs" not in next(UnitDataset(tmp_path / "decoded").examples("train"))


def test_a_fit_depends_on_the_seed_and_takes_what_it_was_given(unit_dir):
    dataset = UnitDataset(unit_dir)
    fitted = [
        fit_pieces(dataset, vocabulary=40, seed=seed, sample_units=units)
        for seed, units in [(0, 2000), (0, 2000), (1, 2000), (0, 10**9)]
    ]
    assert fitted[0].fingerprint == fitted[1].fingerprint
    assert len({tokenizer.model for tokenizer in fitted}) == 3
    assert 2000 <= fitted[0].fit["units"] < 2000 + dataset.lengths("train").max()
    assert fitted[3].fit["units"] == dataset.lengths("train").sum()


def test_units_of_another_tokenizer_are_refused(tmp_path, unit_dir, pieces_dir, examples):
    Tokenizer(MFCC(), np.random.default_rng(9).normal(0, 100, (K, 26))).save(tmp_path / "other")
    write_dataset(tmp_path / "foreign", examples, name="x", kind="units", tokenizer_dir=tmp_path / "other")
    with pytest.raises(InputError, match="foreign: its units come from another tokenizer"):
        encode_pieces(tmp_path / "foreign", pieces_dir, tmp_path / "encoded")
    assert not (tmp_path / "encoded").exists()


def test_the_wrong_folder_is_named(tmp_path, unit_dir, pieces_dir):
    with pytest.raises(InputError, match="is of kind 'speech', but 'pieces' is needed"):
        decode_pieces(unit_dir, tmp_path / "decoded")
    encode_pieces(unit_dir, pieces_dir, tmp_path / "encoded", workers=1)
    with pytest.raises(InputError, match="holds pieces already"):
        fit_pieces(UnitDataset(tmp_path / "encoded"), vocabulary=100)
    with pytest.raises(InputError, match="encoded: exists already"):
        encode_pieces(unit_dir, pieces_dir, tmp_path / "encoded")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": 30}, "vocabulary is 30: give more than the 30 units"),
        ({"vocabulary": 40, "seed": -1}, "seed is -1"),
        ({"vocabulary": 40, "sample_units": 0}, "sample_units is 0"),
    ],
)
def test_arguments_out_of_range_are_named(unit_dir, arguments, message):
    with pytest.raises(InputError, match=message):
        fit_pieces(UnitDataset(unit_dir), **arguments)


def test_a_piece_that_lasts_too_long_to_be_counted_names_its_record(tmp_path, tokenizer_dir, examples):
    for rows in examples.values():
        for row in rows:
            row["runs"] = np.full(len(row["units"]), 40_000, np.uint16)
    write_dataset(
        tmp_path / "long", examples, name="x", kind="units", tokenizer_dir=tokenizer_dir, durations=True
    )
    fit_pieces(UnitDataset(tmp_path / "long"), vocabulary=VOCABULARY).save(tmp_path / "pieces")
    with pytest.raises(
        InputError, match=r"record '.+': one piece lasts (8|12|16)0000 frames, more than the 65535"
    ):
        encode_pieces(tmp_path / "long", tmp_path / "pieces", tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()
