"""A dataset of either kind, opened by what its folder says, and its statistics as a table."""

import os
import pathlib

from slm_jax.data.pairs_dataset import PairsDataset
from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.errors import InputError
from slm_jax.files import read_json

COLUMNS = (
    ("records", "{:,}"),
    ("hours", "{:.2f}"),
    ("units", "{:,}"),
    ("units_per_second", "{:.1f}"),
    ("mean_length", "{:.0f}"),
    ("longest", "{:,}"),
    ("units_in_use", "{:,}"),
    ("unit_entropy", "{:.2f}"),
)


def open_dataset(directory: str | os.PathLike) -> UnitDataset | PairsDataset:
    """The unit or pairs dataset in a folder; raises InputError naming the file and the fix."""
    path = pathlib.Path(directory) / "metadata.json"
    if not path.is_file():
        raise InputError(f"{directory}: no dataset there; give a folder that slm tokenize made")
    readers = {reader.kind: reader for reader in (UnitDataset, PairsDataset)}
    kind = read_json(path).get("kind")
    if kind not in readers:
        raise InputError(
            f"{path}: kind is {kind!r}, not {' or '.join(readers)}; give a folder slm tokenize made"
        )
    return readers[kind](directory)


def format_statistics(dataset: UnitDataset) -> str:
    """One line a split: records, hours, units, and how the units are used (entropy in nats)."""
    rows = [["split", *(name.replace("_", " ") for name, _ in COLUMNS)]]
    for split, statistics in dataset.statistics().items():
        rows.append([split, *(form.format(statistics[name]) for name, form in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{dataset.name}: {dataset.kind}, vocabulary {dataset.vocab_size}", *lines])
