"""Recordings to a dataset: tokenized shard by shard, here or by Beam, and resumed where stopped."""

import collections
import functools
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Sequence

from slm_jax.corpora import Recording
from slm_jax.data.encode_plan import Spool, deal, shard_jobs, spool_recordings
from slm_jax.data.encode_shard import SPEAKERS, ShardJob, encode_shard
from slm_jax.data.receipts import ShardReceipt, read_receipt
from slm_jax.data.shards import CHECKSUMS, check_name, named_write_errors, shard_count, write_metadata
from slm_jax.data.speaker_table import write_speakers
from slm_jax.errors import InputError
from slm_jax.files import read_json, read_jsonl, write_json, write_jsonl
from slm_jax.progress import progress
from slm_jax.tokenizer import Tokenizer, parallel_map
from slm_jax.tokenizer.speakers import speaker_statistics

SKIPPED = "skipped.jsonl"
FOLDERS = ("dataset", "lists", "receipts")


def encode_recordings(
    recordings: Iterable[Recording],
    tokenizer_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    *,
    name: str,
    durations: bool = False,
    workers: int | None = None,
    records_per_shard: int | None = None,
    runner: str | None = None,
    runner_options: Sequence[str] = (),
) -> list[dict]:
    """Tokenizes recordings into a dataset at `out_dir`; returns the skipped ones, {"id", "split", "reason"}.

    Recordings with the fields group, phenomenon, voice and correct make a pairs dataset (split "test" unless
    they say otherwise), others a unit dataset (`split_of` decides where they do not). They are drawn once and
    may be a stream: of each only 8 bytes stay in memory. With `durations` each record keeps the frames its
    units last. A shard has about `records_per_shard` records, those of its share of a hash of all ids.

    The work is spread over `workers` processes (one a core by default), or done in this one for an encoder
    that uses all devices itself. With `runner`, Apache Beam does it: `DirectRunner`, `DataflowRunner`,
    `FlinkRunner`, ..., with `runner_options` in Beam's own words; all folders must be on a file system that
    every one of its workers reaches.

    The work goes on in `out_dir`.partial: run again with the same arguments after a stop, it continues, and
    the dataset has the bytes of an undisturbed run whatever the workers, the runner and the order of the
    recordings. When the dataset is there already nothing is done.

    Raises InputError for a bad recording list, when `out_dir` holds something else, or when nothing can be
    encoded.
    """
    out_dir, tokenizer_dir = pathlib.Path(out_dir).absolute(), pathlib.Path(tokenizer_dir).absolute()
    check_name(name, "dataset name")
    tokenizer = Tokenizer.load(tokenizer_dir)
    spool = spool_recordings(recordings, out_dir.parent)
    shards = {split: shard_count(count, records_per_shard) for split, count in spool.counts.items()}
    plan = {  # what decides the bytes of the dataset
        "name": name,
        "tokenizer": tokenizer.fingerprint,
        "recording_list": spool.digest,
        "number_of_shards": shards,
        "choice_of_durations": durations,
    }
    partial = out_dir.with_name(out_dir.name + ".partial")
    if _is_finished(out_dir, plan):
        shutil.rmtree(partial, ignore_errors=True)
        return read_jsonl(out_dir / SKIPPED)
    with named_write_errors(partial):
        _claim(partial, plan)

    jobs = functools.partial(shard_jobs, partial / "dataset", name, shards)  # drawn anew for every pass
    todo = deal(spool, jobs(), shards)
    _gather_speakers(partial, spool, tokenizer, workers)
    spool.file.close()
    total = sum(spool.counts.values())
    with progress(total=total, initial=total - todo, desc="tokenize", unit="recording") as bar:
        unwritten = (job for job in jobs() if not job.is_written())
        encode = functools.partial(encode_shard, kind=spool.kind, durations=durations)
        if runner:
            from slm_jax.data.beam import run_on_beam  # an extra, and seconds to import

            run_on_beam(
                encode, unwritten, tokenizer_dir, runner=runner, options=runner_options, update=bar.update
            )
        else:
            work = functools.partial(encode, tokenizer)
            on_device = tokenizer.encoder.on_device
            for size in map(work, unwritten) if on_device else parallel_map(work, unwritten, workers=workers):
                bar.update(size)

    records, problem = _count(jobs())
    if not records:
        shutil.rmtree(partial)
        raise InputError(f"none of the {total} recordings could be encoded; the first: {problem}")
    with named_write_errors(out_dir):
        _drop_empty_splits(jobs(), records)
        write_jsonl(partial / "dataset" / SKIPPED, _skipped(jobs()))
        write_metadata(
            partial / "dataset",
            {split: _receipts(jobs(), split) for split in records},
            name=name,
            kind=spool.kind,
            tokenizer_dir=tokenizer_dir,
            durations=durations,
            notes={"plan": plan, "skipped": total - sum(records.values())},
        )
        os.replace(partial / "dataset", out_dir)
    shutil.rmtree(partial)
    return read_jsonl(out_dir / SKIPPED)


def _is_finished(out_dir: pathlib.Path, plan: dict) -> bool:
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return False
    if not (out_dir / CHECKSUMS).is_file():
        raise InputError(f"{out_dir}: exists and is not a dataset; choose another folder")
    _check_same(out_dir, read_json(out_dir / "metadata.json").get("plan"), plan)
    return True


def _claim(partial: pathlib.Path, plan: dict) -> None:
    """Makes `partial` the workplace of this plan, or goes on with it there."""
    if (partial / "plan.json").is_file():
        _check_same(partial, read_json(partial / "plan.json"), plan)
    for leftover in partial.glob("*/.*.tmp"):  # of a writer that was killed
        leftover.unlink()
    for folder in FOLDERS:
        (partial / folder).mkdir(parents=True, exist_ok=True)
    write_json(partial / "plan.json", plan)


def _check_same(folder: pathlib.Path, found: dict | None, plan: dict) -> None:
    for field, value in plan.items():
        if found is None or found.get(field) != value:
            raise InputError(
                f"{folder}: was made with another {field.replace('_', ' ')}; remove it to start over, or "
                "choose another output folder"
            )


def _gather_speakers(partial: pathlib.Path, spool: Spool, tokenizer: Tokenizer, workers: int | None) -> None:
    """Leaves the statistics of the speakers for all shards, once, if the encoder normalizes by them."""
    table = partial / SPEAKERS
    if table.exists():
        return
    speakers = speaker_statistics(spool.recordings(), tokenizer.encoder, workers=workers)
    if speakers:
        with named_write_errors(table):
            write_speakers(table, speakers)


def _count(jobs: Iterable[ShardJob]) -> tuple[dict[str, int], str]:
    """Records of every split that has any, and why the first recording was skipped."""
    records, problem = collections.Counter(), ""
    for job in jobs:
        receipt, skipped = read_receipt(job.receipt)
        records[job.split] += len(receipt.lengths)
        problem = problem or (skipped[0]["reason"] if skipped else "")
    return {split: count for split, count in records.items() if count}, problem


def _drop_empty_splits(jobs: Iterable[ShardJob], records: dict[str, int]) -> None:
    for job in jobs:
        if job.split not in records:
            job.path.unlink(missing_ok=True)


def _skipped(jobs: Iterable[ShardJob]) -> Iterator[dict]:
    for job in jobs:
        yield from read_receipt(job.receipt)[1]


def _receipts(jobs: Iterable[ShardJob], split: str) -> Iterator[ShardReceipt]:
    return (read_receipt(job.receipt)[0] for job in jobs if job.split == split)
