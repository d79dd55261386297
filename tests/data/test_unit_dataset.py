"""The unit dataset on disk: TFDS reads it, so do we, and damage is noticed and named."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slm_jax.data import PairsDataset, UnitDataset, open_dataset, write_dataset
from slm_jax.errors import InputError
from slm_jax.tokenizer import Tokenizer

READ_WITH_TFDS = """
import json, sys
import tensorflow_datasets as tfds
sources = tfds.builder_from_directory(sys.argv[1]).as_data_source()
rows = {split: [source[i] for i in range(len(source))] for split, source in sources.items()}
assert "tensorflow" not in sys.modules and "slm_jax" not in sys.modules
print(json.dumps({split: [[row["id"].decode(), row["units"].tolist(), float(row["seconds"])] for row in found]
                  for split, found in rows.items()}))
"""


def test_tfds_alone_reads_it_without_tensorflow(unit_dir, examples):
    printed = subprocess.run(
        [sys.executable, "-c", READ_WITH_TFDS, unit_dir], capture_output=True, check=True, text=True
    ).stdout
    found = json.loads(printed.splitlines()[-1])
    assert found.keys() == examples.keys()
    for split, rows in examples.items():
        assert len(found[split]) == len(rows)
        for (id, units, seconds), row in zip(found[split], rows, strict=True):
            assert (id, units) == (row["id"], row["units"].tolist())
            assert seconds == pytest.approx(row["seconds"])


def test_shards_are_named_as_tfds_names_them(unit_dir):
    names = sorted(path.name for path in unit_dir.glob("*array_record*"))
    assert names == [f"made_up-train.array_record-0000{shard}-of-00004" for shard in range(4)] + [
        "made_up-validation.array_record-00000-of-00001"
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(indices=st.lists(st.integers(0, 149), max_size=40))
def test_random_access_gives_the_records_asked_for_in_order(unit_dir, examples, indices):
    dataset = UnitDataset(unit_dir)
    units = dataset.read("train", indices)
    assert [found.tolist() for found in units] == [examples["train"][i]["units"].tolist() for i in indices]
    assert all(found.dtype == np.uint16 for found in units)


def test_examples_lengths_and_properties(unit_dir, tokenizer_dir, examples):
    dataset = UnitDataset(unit_dir)
    tokenizer = Tokenizer.load(tokenizer_dir)
    assert dataset.splits == ["train", "validation"]
    assert (dataset.vocab_size, dataset.eos, dataset.pad) == (32, 30, 31)
    assert dataset.tokenizer_fingerprint == tokenizer.fingerprint
    assert Tokenizer.load(unit_dir).fingerprint == tokenizer.fingerprint
    for split, rows in examples.items():
        assert dataset.lengths(split).dtype == np.int32
        assert dataset.lengths(split).tolist() == [len(row["units"]) for row in rows]
        for found, row in zip(dataset.examples(split), rows, strict=True):
            assert found.keys() == row.keys()
            assert found["id"] == row["id"] and found["speaker"] == "nobody"
            np.testing.assert_array_equal(found["units"], row["units"])
    dataset.validate()


def test_statistics_are_those_of_the_units(unit_dir, examples):
    statistics = UnitDataset(unit_dir).statistics()["train"]
    units = np.concatenate([row["units"] for row in examples["train"]])
    share = np.bincount(units) / len(units)
    assert statistics["records"] == 150 and statistics["units"] == len(units)
    assert statistics["hours"] == pytest.approx(len(units) * 0.1 / 3600)
    assert statistics["units_per_second"] == pytest.approx(10.0, rel=1e-3)
    assert statistics["unit_entropy"] == pytest.approx(-(share * np.log(share)).sum())
    json.dumps(statistics)


def test_equal_content_has_equal_bytes_and_fingerprint(tmp_path, unit_dir, tokenizer_dir, examples):
    arguments = {"name": "made_up", "kind": "units", "tokenizer_dir": tokenizer_dir, "records_per_shard": 40}
    write_dataset(tmp_path / "again", examples, **arguments)
    examples["train"][0]["units"] = examples["train"][0]["units"][::-1].copy()
    write_dataset(tmp_path / "other", examples, **arguments)
    fingerprint = UnitDataset(unit_dir).fingerprint
    assert UnitDataset(tmp_path / "again").fingerprint == fingerprint
    assert UnitDataset(tmp_path / "other").fingerprint != fingerprint


def test_a_copy_in_another_process_reads_the_same(unit_dir):
    dataset = UnitDataset(unit_dir)
    dataset.read("train", [0])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(dataset)).read("train", [99])[0], dataset.read("train", [99])[0]
    )


@pytest.mark.parametrize("index", [-1, 150])
def test_an_index_outside_is_an_index_error(unit_dir, index):
    with pytest.raises(IndexError):
        UnitDataset(unit_dir).read("train", [0, index])


def test_an_unknown_split_is_named_with_those_that_exist(unit_dir):
    with pytest.raises(InputError, match=r"'test'.*train, validation"):
        UnitDataset(unit_dir).lengths("test")


SHARD = "made_up-train.array_record-00002-of-00004"


def test_a_missing_or_truncated_shard_is_named_at_opening(unit_dir):
    shard = unit_dir / SHARD
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    with pytest.raises(InputError, match=f"{SHARD}.*instead of.*slm tokenize"):
        UnitDataset(unit_dir)
    shard.unlink()
    with pytest.raises(InputError, match=f"{SHARD}: is missing.*slm tokenize"):
        UnitDataset(unit_dir)


def test_a_flipped_byte_is_named_when_its_record_is_read_or_all_is_validated(unit_dir):
    shard = unit_dir / SHARD
    content = bytearray(shard.read_bytes())
    content[300] ^= 0xFF  # inside the first records
    shard.write_bytes(content)
    dataset = UnitDataset(unit_dir)
    dataset.read("train", range(76))
    with pytest.raises(InputError, match=f"{SHARD}: is corrupt"):
        dataset.read("train", range(150))
    with pytest.raises(InputError, match=f"{SHARD}: does not match its checksum"):
        dataset.validate()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_any_flipped_bit_of_any_file_is_found(unit_dir, data):
    path = data.draw(st.sampled_from([path for path in sorted(unit_dir.iterdir()) if path.stat().st_size]))
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(InputError):
            open_dataset(unit_dir).validate()
    finally:
        path.write_bytes(content)
    open_dataset(unit_dir).validate()


def test_a_flip_that_gives_a_checksum_the_name_of_another_shard_is_found(unit_dir):
    path = unit_dir / "checksums.json"
    path.write_text(path.read_text().replace("train.array_record-00000", "train.array_record-00001"))
    with pytest.raises(InputError, match=r"does not list made_up-train\.array_record-00000"):
        UnitDataset(unit_dir).validate()


@pytest.mark.parametrize(
    "file", ["tokenizer.json", "dataset_info.json", "features.json", "metadata.json", "index.safetensors"]
)
def test_a_changed_small_file_is_named_at_opening(unit_dir, file):
    content = bytearray((unit_dir / file).read_bytes())
    content[len(content) // 2] ^= 1
    (unit_dir / file).write_bytes(content)
    with pytest.raises(InputError, match=f"{file}: does not match its checksum"):
        UnitDataset(unit_dir)


def test_what_is_no_dataset_is_refused(tmp_path, unit_dir):
    for folder, problem in ((tmp_path / "absent", "no such folder"), (tmp_path, "no finished dataset")):
        with pytest.raises(InputError, match=problem):
            UnitDataset(folder)
    with pytest.raises(InputError, match="holds 'units', but 'pairs'"):
        PairsDataset(unit_dir)


@pytest.mark.parametrize(("units", "problem"), [([], "is empty"), ([30], "holds 30, but k = 30")])
def test_units_that_cannot_be_are_not_written(tmp_path, tokenizer_dir, examples, units, problem):
    examples["train"][3]["units"] = np.array(units, np.uint16)
    with pytest.raises(InputError, match=f"recording é 3.*'units' {problem}"):
        write_dataset(tmp_path / "out", examples, name="a", kind="units", tokenizer_dir=tokenizer_dir)
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_and_impossible_names_are_refused(tmp_path, unit_dir, tokenizer_dir, examples):
    with pytest.raises(InputError, match="exists already"):
        write_dataset(unit_dir, examples, name="a", kind="units", tokenizer_dir=tokenizer_dir)
    with pytest.raises(InputError, match="dataset name 'A-B'"):
        write_dataset(tmp_path / "out", examples, name="A-B", kind="units", tokenizer_dir=tokenizer_dir)
