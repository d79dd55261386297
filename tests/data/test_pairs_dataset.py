"""The pairs dataset: every candidate with its labels, and incomplete groups refused."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from slm_jax.data import PairsDataset, UnitDataset, write_dataset
from slm_jax.errors import InputError


def write(folder, rows, tokenizer_dir):
    write_dataset(folder, {"test": rows}, name="pairs", kind="pairs", tokenizer_dir=tokenizer_dir)
    return folder


def test_candidates_carry_their_labels(tmp_path, tokenizer_dir, pair_examples):
    folder = write(tmp_path / "pairs", pair_examples, tokenizer_dir)
    candidates = PairsDataset(folder).candidates()
    assert len(candidates) == len(pair_examples)
    for candidate, row in zip(candidates, pair_examples, strict=True):
        for field in ("id", "group", "phenomenon", "voice"):
            assert getattr(candidate, field) == row[field]
        assert candidate.correct is row["correct"]
        np.testing.assert_array_equal(candidate.units, row["units"])
    first = tfds.builder_from_directory(folder).as_data_source("test")[0]
    assert first["group"] == b"pair-0" and bool(first["correct"]) is False
    with pytest.raises(InputError, match="holds 'pairs', but 'units'"):
        UnitDataset(folder)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (lambda rows: rows.pop(1), "0 good and 1 bad"),
        (lambda rows: rows.pop(0), "1 good and 0 bad"),
        (lambda rows: rows.append(rows[1] | {"id": "twice"}), "2 good and 1 bad"),
    ],
)
def test_a_group_without_one_good_and_a_bad_candidate_is_named(
    tmp_path, tokenizer_dir, pair_examples, change, counts
):
    change(pair_examples)
    dataset = PairsDataset(write(tmp_path / "pairs", pair_examples, tokenizer_dir))
    with pytest.raises(InputError, match=f"question 'pair-0' in voice 'voice 0' has {counts}"):
        dataset.candidates()


def test_more_than_one_bad_candidate_is_allowed(tmp_path, tokenizer_dir, pair_examples):
    pair_examples.append(pair_examples[0] | {"id": "another"})
    assert len(PairsDataset(write(tmp_path / "pairs", pair_examples, tokenizer_dir)).candidates()) == 25
