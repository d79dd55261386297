"""How fine the tokens of datasets are: one row a dataset, for choosing K, frame rate and pieces."""

import csv
import os
from collections.abc import Sequence

import numpy as np

from slm_jax.data.table import format_hours, format_table
from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.files import atomic_path
from slm_jax.tokenizer import PIECES, PieceTokenizer, kind_of

COLUMNS = {
    "dataset": "{}",
    "tokens": "{:,}",
    "hours": format_hours,
    "k": "{:,}",
    "in_use": "{:,}",
    "frame_rate": "{:g}",
    "tokens_per_second": "{:.2f}",
    "entropy_bits": "{:.2f}",
    "bits_per_second": "{:.1f}",
    "frames_per_token": "{:.2f}",
    "units_per_token": "{:.2f}",
}


def granularity(datasets: Sequence[UnitDataset]) -> list[dict]:
    """One row a dataset of units or pieces, over all its splits, from its index alone.

    k             vocabulary without EOS and PAD, and `in_use`, how much of it occurs
    entropy_bits  of the distribution of single tokens (unigram entropy): a bound on the bits a token carries
                  that knows nothing of the tokens before it
    bits_per_second   tokens per second times entropy_bits
    frames_per_token  mean run length: seconds times the frame rate over tokens
    units_per_token   units in a token of a dataset of pieces; 1 for units

    What follows from seconds or from a frame rate is None where they are not known.
    """
    return [_row(dataset) for dataset in datasets]


def format_granularity(rows: Sequence[dict]) -> str:
    """The rows as a table of text."""
    return format_table(rows, COLUMNS)


def write_granularity(rows: Sequence[dict], path: str | os.PathLike) -> None:
    """The rows as CSV, in full precision; nothing stands where a number is not known."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _row(dataset: UnitDataset) -> dict:
    counts_K = sum(dataset.unit_counts(split) for split in dataset.splits)
    hours = sum(statistics["hours"] for statistics in dataset.statistics().values())
    tokens, seconds = int(counts_K.sum()), 3600 * hours
    share_K = counts_K[counts_K > 0] / tokens
    entropy = float(-(share_K * np.log2(share_K)).sum())
    frame_rate = dataset.tokenizer["frame_rate"]
    return {
        "dataset": dataset.directory.name,
        "tokens": tokens,
        "hours": hours or None,
        "k": dataset.tokenizer["k"],
        "in_use": len(share_K),
        "frame_rate": frame_rate,
        "tokens_per_second": tokens / seconds if seconds else None,
        "entropy_bits": entropy,
        "bits_per_second": tokens / seconds * entropy if seconds else None,
        "frames_per_token": seconds * frame_rate / tokens if seconds and frame_rate else None,
        "units_per_token": float((counts_K * _unit_lengths(dataset)).sum() / tokens),
    }


def _unit_lengths(dataset: UnitDataset) -> np.ndarray | int:
    is_pieces = kind_of(dataset.tokenizer) == PIECES
    return PieceTokenizer.load(dataset.directory).lengths_P if is_pieces else 1
