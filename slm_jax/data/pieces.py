"""Coarser tokens of a dataset: pieces trained on its units, a dataset of pieces, and the units back."""

import functools
import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from slm_jax.data.describe import open_dataset
from slm_jax.data.receipts import ShardReceipt
from slm_jax.data.schema import MAX_RUN, RUNS
from slm_jax.data.shards import check_absent, shard_paths, write_metadata, write_shard
from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.errors import InputError
from slm_jax.files import atomic_path
from slm_jax.progress import progress
from slm_jax.tokenizer import (
    PieceTokenizer,
    check_vocabulary,
    fingerprint,
    parallel_map,
    read_config,
    train_pieces,
)

RECORDS_PER_READ = 256


def fit_pieces(
    dataset: UnitDataset,
    *,
    vocabulary: int,
    model: str = "unigram",
    seed: int = 0,
    sample_units: int = 5_000_000,
) -> PieceTokenizer:
    """Trains a piece tokenizer on about `sample_units` units of the train split, records in random order.

    `model` is "unigram" (Kudo 2018) or "bpe" (Sennrich et al. 2016). The result depends on the dataset and
    these arguments alone. Raises InputError when one is out of range or the units do not have as many pieces.
    """
    if sample_units < 1:
        raise InputError(f"sample_units is {sample_units}: give the number of units to train on, 1 or more")
    if seed < 0:
        raise InputError(f"seed is {seed}: give 0 or more")
    if "units" in dataset.tokenizer:
        raise InputError(f"{dataset.directory}: holds pieces already; give the dataset of units")
    check_vocabulary(vocabulary, dataset.tokenizer["k"], model)
    sample = _sample(dataset, seed, sample_units)
    fit = {
        "model": model,
        "seed": seed,
        "sample_units": sample_units,
        "units": sum(map(len, sample)),
        "dataset": dataset.fingerprint,
    }
    trained = train_pieces(sample, k=dataset.tokenizer["k"], vocabulary=vocabulary, model=model)
    return PieceTokenizer(dataset.tokenizer, dataset.directory, trained, fit)


def encode_pieces(
    dataset_dir: str | os.PathLike,
    tokenizer_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    *,
    workers: int | None = None,
) -> None:
    """Writes the dataset of the pieces of a unit or pairs dataset: the same splits, records and other fields.

    Where the frames of each unit were kept, they are summed up to those of each piece.
    Raises InputError when the units are not those the pieces were trained on, when a piece lasts more than
    MAX_RUN frames, or when `out_dir` is there already.
    """
    dataset, pieces = open_dataset(dataset_dir), PieceTokenizer.load(tokenizer_dir)
    if dataset.tokenizer_fingerprint != fingerprint(pieces.units):
        raise InputError(
            f"{dataset_dir}: its units come from another tokenizer than those the pieces of {tokenizer_dir} "
            "were trained on; train pieces on this dataset, or encode its audio with that tokenizer"
        )
    encode = functools.partial(_encode, pieces)
    _rewrite(dataset, out_dir, tokenizer_dir, encode, workers, durations=dataset.has_durations)


def decode_pieces(
    dataset_dir: str | os.PathLike, out_dir: str | os.PathLike, *, workers: int | None = None
) -> None:
    """Writes the dataset of units that a dataset of pieces was made from, without the frames of each unit.

    Raises InputError when it does not hold pieces, or `out_dir` is there already.
    """
    dataset, pieces = open_dataset(dataset_dir), PieceTokenizer.load(dataset_dir)
    with tempfile.TemporaryDirectory() as units_dir:
        pieces.save_units(units_dir)
        decode = functools.partial(_decode, pieces)
        _rewrite(dataset, out_dir, units_dir, decode, workers, durations=False)


def _encode(pieces: PieceTokenizer, row: dict) -> dict:
    pieces_M = pieces.encode(row["units"])
    if RUNS not in row:
        return row | {"units": pieces_M}
    starts_M = np.cumsum(pieces.lengths_P[pieces_M]) - pieces.lengths_P[pieces_M]
    runs_M = np.add.reduceat(row[RUNS], starts_M, dtype=np.int64)
    if runs_M.max() > MAX_RUN:
        raise InputError(
            f"record {row['id']!r}: one piece lasts {runs_M.max()} frames, more than the {MAX_RUN} that a "
            "dataset with durations can hold; encode the units without durations, or the recording in parts"
        )
    return row | {"units": pieces_M, RUNS: runs_M.astype(np.uint16)}


def _decode(pieces: PieceTokenizer, row: dict) -> dict:
    row = row | {"units": pieces.decode(row["units"])}
    row.pop(RUNS, None)
    return row


def _sample(dataset: UnitDataset, seed: int, sample_units: int) -> list[np.ndarray]:
    lengths_R = dataset.lengths("train")
    order_R = np.random.default_rng(seed).permutation(len(lengths_R))
    enough = int(np.searchsorted(np.cumsum(lengths_R[order_R], dtype=np.int64), sample_units)) + 1
    sample = []
    for start in progress(range(0, min(enough, len(order_R)), RECORDS_PER_READ), desc="sample", unit="read"):
        sample += dataset.read("train", order_R[start : min(start + RECORDS_PER_READ, enough)])
    return sample


def _rewrite(
    dataset: UnitDataset,
    out_dir: str | os.PathLike,
    tokenizer_dir: str | os.PathLike,
    convert: Callable[[dict], dict],
    workers: int | None,
    durations: bool,
) -> None:
    """The dataset with every record's tokens converted to those of another tokenizer, shard by shard."""
    out_dir = pathlib.Path(out_dir)
    check_absent(out_dir)
    k = read_config(tokenizer_dir)["k"]
    with atomic_path(out_dir) as temporary:
        temporary.mkdir()
        jobs = []
        for split in dataset.splits:
            ends = np.cumsum(lengths := dataset.shard_lengths(split)).tolist()
            for path, end, length in zip(
                shard_paths(temporary, dataset.name, split, len(lengths)), ends, lengths, strict=True
            ):
                jobs.append((split, path, end - length, end))
        receipts = {split: [] for split in dataset.splits}
        write = functools.partial(_write, dataset, convert, k, durations)
        with progress(
            total=sum(stop - start for *_, start, stop in jobs), desc="rewrite", unit="record"
        ) as bar:
            for job, receipt in zip(jobs, parallel_map(write, jobs, workers=workers), strict=True):
                receipts[job[0]].append(receipt)
                bar.update(len(receipt.lengths))
        write_metadata(
            temporary,
            receipts,
            name=dataset.name,
            kind=dataset.kind,
            tokenizer_dir=tokenizer_dir,
            durations=durations,
            notes={"made_from": dataset.fingerprint},
        )


def _write(
    dataset: UnitDataset,
    convert: Callable[[dict], dict],
    k: int,
    durations: bool,
    job: tuple[str, pathlib.Path, int, int],
) -> ShardReceipt:
    split, path, start, stop = job
    rows = map(convert, dataset.examples(split, start, stop))
    return write_shard(path, rows, kind=dataset.kind, k=k, durations=durations)
