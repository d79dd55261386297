"""The tables of a dataset: their numbers are those of the records."""

import collections
import csv

import numpy as np
import pytest
from scipy import stats

from slm_jax.data import (
    UnitDataset,
    encode_pieces,
    fit_pieces,
    format_granularity,
    format_sources,
    format_statistics,
    granularity,
    open_dataset,
    sources,
    write_dataset,
    write_granularity,
)
from slm_jax.data.table import format_hours
from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.tokenizer import write_external

K = 30


@pytest.fixture
def mixed_dir(tmp_path, tokenizer_dir, examples):
    """Records of two sources, one of which calls itself as the table calls the total."""
    for rows in examples.values():
        for index, row in enumerate(rows):
            row["source"] = "all" if index % 3 == 0 else "audiobooks"
    write_dataset(tmp_path / "mixed", examples, name="mixed", kind="units", tokenizer_dir=tokenizer_dir)
    return tmp_path / "mixed"


@pytest.fixture
def untimed(tmp_path, examples) -> UnitDataset:
    (tmp_path / "external").mkdir()
    write_external(tmp_path / "external", origin="elsewhere", k=K, frame_rate=None, collapse=True)
    rows = [row | {"seconds": 0.0} for row in examples["train"]]
    write_dataset(
        tmp_path / "untimed", {"train": rows}, name="x", kind="units", tokenizer_dir=tmp_path / "external"
    )
    return UnitDataset(tmp_path / "untimed")


def test_the_table_of_sources_adds_up(mixed_dir, examples):
    sums = collections.defaultdict(lambda: [0, 0, 0.0])
    for split, rows in examples.items():
        for row in rows:
            for key in [(s, p) for s in (row["source"], None) for p in (split, None)]:
                old = sums[key]
                sums[key] = [old[0] + 1, old[1] + len(row["units"]), old[2] + row["seconds"]]
    found = sources(open_dataset(mixed_dir))
    order = [(s, p) for s in ("all", "audiobooks", None) for p in ("train", "validation", None)]
    assert [(row["source"], row["split"]) for row in found] == [(s or "all", p or "all") for s, p in order]
    for row, key in zip(found, order, strict=True):
        records, tokens, seconds = sums[key]
        assert (row["records"], row["tokens"]) == (records, tokens)
        assert row["hours"] == pytest.approx(seconds / 3600)
        assert row["tokens_per_second"] == pytest.approx(tokens / seconds)


def test_one_source_needs_no_total(unit_dir):
    found = [(row["source"], row["split"]) for row in sources(open_dataset(unit_dir))]
    assert found == [("made up", "train"), ("made up", "validation"), ("made up", "all")]


def test_tables_are_aligned(mixed_dir):
    head, *lines = format_sources(open_dataset(mixed_dir)).splitlines()
    assert len(lines) == 9 and all(len(line) == len(head) for line in lines)


def test_unknown_hours_are_dashes(untimed):
    (line,) = format_sources(untimed).splitlines()[1:]
    assert line.split() == ["made", "up", "train", "150", "-", f"{untimed.lengths('train').sum():,}", "-"]
    title, _, line = format_statistics(untimed).splitlines()
    assert title == "x: units, vocabulary 32" and line.split()[2] == line.split()[4] == "-"


def test_granularity_of_units_and_of_their_pieces(tmp_path, unit_dir, examples):
    fit_pieces(UnitDataset(unit_dir), vocabulary=60).save(tmp_path / "pieces")
    encode_pieces(unit_dir, tmp_path / "pieces", tmp_path / "encoded", workers=1)
    units, pieces = granularity([UnitDataset(unit_dir), UnitDataset(tmp_path / "encoded")])
    rows = [row for split in examples.values() for row in split]
    stream, seconds = np.concatenate([row["units"] for row in rows]), sum(row["seconds"] for row in rows)
    entropy = stats.entropy(np.bincount(stream), base=2)
    assert units["tokens"] == len(stream) and units["k"] == units["in_use"] == K
    assert units["hours"] == pytest.approx(seconds / 3600)
    assert units["tokens_per_second"] == pytest.approx(len(stream) / seconds, rel=1e-4)
    assert units["entropy_bits"] == pytest.approx(entropy)
    assert units["bits_per_second"] == pytest.approx(len(stream) / seconds * entropy, rel=1e-4)
    assert units["frames_per_token"] == pytest.approx(25 * seconds / len(stream), rel=1e-4)
    assert units["units_per_token"] == 1
    title, head, _ = format_statistics(UnitDataset(tmp_path / "encoded")).split("\n", 2)
    assert ": pieces, vocabulary 62" in title and "units" not in head
    assert pieces["k"] == 60 and pieces["frame_rate"] == 25
    assert pieces["units_per_token"] == pytest.approx(len(stream) / pieces["tokens"])
    assert pieces["frames_per_token"] == pytest.approx(25 * seconds / pieces["tokens"], rel=1e-4)


def test_granularity_as_text_and_csv(tmp_path, unit_dir, untimed):
    rows = granularity([UnitDataset(unit_dir), untimed])
    head, *lines = format_granularity(rows).splitlines()
    assert len(lines) == 2 and all(len(line) == len(head) for line in lines)
    assert lines[1].split().count("-") == 5
    write_granularity(rows, tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["dataset"] for row in read] == ["units", "untimed"]
    assert float(read[0]["bits_per_second"]) == rows[0]["bits_per_second"]
    assert read[1]["hours"] == read[1]["frame_rate"] == ""


def test_all_entropies_are_bits(unit_dir):
    dataset = UnitDataset(unit_dir)
    _, head, line, *_ = format_statistics(dataset).splitlines()
    counts_K = dataset.unit_counts("train")
    assert head.endswith("entropy bits")
    assert line.split()[-1] == f"{stats.entropy(counts_K, base=2):.2f}"


@pytest.mark.parametrize(("hours", "text"), [(0.01234, "0.0123"), (0.184, "0.184"), (1234.567, "1,234.57")])
def test_short_datasets_show_their_hours(hours, text):
    assert format_hours(hours) == text


@pytest.mark.parametrize("asked", ["units.partial", "units"])
def test_an_unfinished_dataset_says_how_far_it_is(tmp_path, asked):
    (tmp_path / "units.partial" / "receipts").mkdir(parents=True)
    write_json(tmp_path / "units.partial" / "plan.json", {"number_of_shards": {"train": 6, "validation": 1}})
    for shard in range(2):
        (tmp_path / "units.partial" / "receipts" / f"{shard}.safetensors").touch()
    with pytest.raises(
        InputError, match=r"units\.partial: unfinished, 2 of 7 shards are written; run the same"
    ):
        open_dataset(tmp_path / asked)
