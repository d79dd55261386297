"""Recordings to a dataset: tokenized shard by shard on all cores, and resumed where it was stopped."""

import collections
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from slm_jax.corpora import Recording, assign_split
from slm_jax.data import schema
from slm_jax.data.shards import (
    CHECKSUMS,
    ShardReceipt,
    check_name,
    named_write_errors,
    shard_count,
    shard_paths,
    write_metadata,
    write_shard,
)
from slm_jax.errors import InputError
from slm_jax.files import read_json, read_jsonl, write_json, write_jsonl
from slm_jax.progress import progress
from slm_jax.tokenizer import Tokenizer, load_audio, parallel_map

SKIPPED = "skipped.jsonl"
PAIRS_SPLIT = "test"
# Candidates of a minimal pair stay or fall together; a plain recording is a bundle of its own.
Bundle = list[Recording]


@dataclasses.dataclass
class ShardJob:
    """One shard to write, and the receipt that says it is written."""

    split: str
    path: pathlib.Path
    receipt: pathlib.Path
    bundles: list[Bundle]


def encode_recordings(
    recordings: Sequence[Recording],
    tokenizer_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    *,
    name: str,
    workers: int | None = None,
    records_per_shard: int | None = None,
) -> list[dict]:
    """Tokenizes recordings into a dataset at `out_dir`; returns the skipped ones, {"id", "split", "reason"}.

    Recordings with the fields group, phenomenon, voice and correct make a pairs dataset (split "test" unless
    they say otherwise), others a unit dataset (`assign_split` decides where they do not). The work goes on in
    `out_dir`.partial: run again with the same arguments after a stop, it continues, and the dataset has the
    bytes of an undisturbed run whatever the workers. Records are in the order of a hash of their ids. When
    the dataset is there already nothing is done.

    Raises InputError for a bad manifest, when `out_dir` holds something else, or when nothing can be encoded.
    """
    out_dir = pathlib.Path(out_dir).absolute()
    check_name(name, "dataset name")
    tokenizer = Tokenizer.load(tokenizer_dir)
    kind = _kind(recordings)
    splits = _splits(recordings, kind)
    shards = {split: shard_count(len(rows), records_per_shard) for split, rows in splits.items()}
    plan = _plan(recordings, name, tokenizer, shards)
    partial = out_dir.with_name(out_dir.name + ".partial")
    if _is_finished(out_dir, plan):
        shutil.rmtree(partial, ignore_errors=True)
        return read_jsonl(out_dir / SKIPPED)
    with named_write_errors(partial):
        _claim(partial, plan)

    dataset = partial / "dataset"
    jobs = []
    for split, rows in splits.items():
        bundles = _bundles(rows, kind)
        paths = shard_paths(dataset, name, split, shards[split])
        for path, chunk in zip(paths, np.array_split(np.arange(len(bundles)), len(paths)), strict=True):
            receipt = partial / "receipts" / f"{path.name}.json"
            jobs.append(ShardJob(split, path, receipt, [bundles[index] for index in chunk]))
    _run(jobs, tokenizer, kind, workers)

    receipts, skipped = _collect(jobs)
    if not receipts:
        shutil.rmtree(partial)
        raise InputError(
            f"none of the {len(recordings)} recordings could be encoded; the first: {skipped[0]['reason']}"
        )
    notes = {"plan": plan, "skipped": len(skipped)}
    with named_write_errors(out_dir):
        write_jsonl(dataset / SKIPPED, skipped)
        write_metadata(dataset, receipts, name=name, kind=kind, tokenizer_dir=tokenizer_dir, notes=notes)
        os.replace(dataset, out_dir)
    shutil.rmtree(partial)
    return skipped


def _kind(recordings: Sequence[Recording]) -> str:
    if not recordings:
        raise InputError("there are no recordings to encode; give a manifest or a folder of audio")
    repeated = collections.Counter(recording.id for recording in recordings).most_common(1)[0]
    if repeated[1] > 1:
        raise InputError(f"recording id {repeated[0]!r} occurs {repeated[1]} times; ids must be unique")
    if not any(field in recording.fields for recording in recordings for field in schema.PAIR_FIELDS):
        return schema.UNITS
    for recording in recordings:
        for field in schema.PAIR_FIELDS:
            value = recording.fields.get(field)
            if not isinstance(value, bool if field == "correct" else str):
                raise InputError(
                    f"recording {recording.id!r}: field {field!r} is missing or has the wrong type "
                    f"({value!r}); every recording of minimal pairs needs {', '.join(schema.PAIR_FIELDS)}"
                )
    return schema.PAIRS


def _splits(recordings: Sequence[Recording], kind: str) -> dict[str, list[Recording]]:
    splits = collections.defaultdict(list)
    for recording in recordings:
        default = PAIRS_SPLIT if kind == schema.PAIRS else assign_split(recording.id)
        splits[recording.split or default].append(recording)
    for split in splits:
        check_name(split, "split")
    return dict(sorted(splits.items()))


def _bundles(recordings: list[Recording], kind: str) -> list[Bundle]:
    """Recordings that stay together, in the order of a hash: every shard is a fair sample of the corpus."""
    bundles = collections.defaultdict(list)
    for recording in sorted(recordings, key=lambda recording: recording.id):
        pair = f"{recording.fields['group']}\n{recording.fields['voice']}" if kind == schema.PAIRS else None
        bundles[pair or recording.id].append(recording)
    return [bundles[key] for key in sorted(bundles, key=lambda key: hashlib.sha256(key.encode()).digest())]


def _plan(recordings: Sequence[Recording], name: str, tokenizer: Tokenizer, shards: dict[str, int]) -> dict:
    """What decides the bytes of the dataset; where the audio lies does not."""
    digest = hashlib.sha256()
    for recording in sorted(recordings, key=lambda recording: recording.id):
        row = dataclasses.asdict(recording)
        del row["path"]
        digest.update(json.dumps(row, sort_keys=True).encode())
    return {
        "name": name,
        "tokenizer": tokenizer.fingerprint,
        "recording_list": digest.hexdigest(),
        "number_of_shards": shards,
    }


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
    (partial / "receipts").mkdir(parents=True, exist_ok=True)
    write_json(partial / "plan.json", plan)


def _check_same(folder: pathlib.Path, found: dict | None, plan: dict) -> None:
    for field, value in plan.items():
        if found is None or found.get(field) != value:
            raise InputError(
                f"{folder}: was made with another {field.replace('_', ' ')}; remove it to start over, or "
                "choose another output folder"
            )


def _run(jobs: list[ShardJob], tokenizer: Tokenizer, kind: str, workers: int | None) -> None:
    todo = [job for job in jobs if not _is_written(job)]
    with progress(total=sum(map(_size, jobs)), desc="tokenize", unit="recording") as bar:
        bar.update(sum(map(_size, jobs)) - sum(map(_size, todo)))
        encode = functools.partial(_encode_shard, tokenizer, kind)
        for size in parallel_map(encode, todo, workers=workers):
            bar.update(size)


def _size(job: ShardJob) -> int:
    return sum(map(len, job.bundles))


def _is_written(job: ShardJob) -> bool:
    if not (job.receipt.is_file() and job.path.is_file()):
        return False
    return job.path.stat().st_size == read_json(job.receipt)["shard"]["bytes"]


def _encode_shard(tokenizer: Tokenizer, kind: str, job: ShardJob) -> int:
    examples, skipped = [], []
    for bundle in job.bundles:
        encoded, problems = _encode_bundle(tokenizer, kind, bundle)
        examples.extend(encoded)
        skipped.extend({"id": id, "split": job.split, "reason": reason} for id, reason in problems.items())
    receipt = write_shard(job.path, examples, kind=kind, k=tokenizer.k)
    with named_write_errors(job.receipt):
        write_json(job.receipt, {"shard": dataclasses.asdict(receipt), "skipped": skipped})
    return _size(job)


def _encode_bundle(tokenizer: Tokenizer, kind: str, bundle: Bundle) -> tuple[list[dict], dict[str, str]]:
    examples, problems = [], {}
    for recording in bundle:
        try:
            examples.append(_example(tokenizer, kind, recording))
        except InputError as error:
            problems[recording.id] = str(error)
    if not problems:
        return examples, {}
    reason = f"candidate {next(iter(problems))!r} of the same pair could not be encoded"
    return [], {recording.id: problems.get(recording.id, reason) for recording in bundle}


def _example(tokenizer: Tokenizer, kind: str, recording: Recording) -> dict:
    wave_S = load_audio(recording.path, tokenizer.sample_rate)
    try:
        units_L = tokenizer.encode(wave_S)
    except InputError as error:
        raise InputError(f"{recording.path}: {error}") from None
    example = {
        "id": recording.id,
        "units": units_L,
        "source": recording.source,
        "speaker": recording.speaker,
        "seconds": len(wave_S) / tokenizer.sample_rate,
    }
    if kind == schema.PAIRS:
        example |= {field: recording.fields[field] for field in schema.PAIR_FIELDS}
    return example


def _collect(jobs: list[ShardJob]) -> tuple[dict[str, list[ShardReceipt]], list[dict]]:
    """Receipts per split and the skipped recordings; a split without a record is left out, shards and all."""
    receipts, skipped = collections.defaultdict(list), []
    for job in jobs:
        content = read_json(job.receipt)
        receipts[job.split].append(ShardReceipt(**content["shard"]))
        skipped.extend(content["skipped"])
    empty = [split for split, shards in receipts.items() if not any(shard.lengths for shard in shards)]
    for job in jobs:
        if job.split in empty:
            job.path.unlink(missing_ok=True)
    return {split: shards for split, shards in receipts.items() if split not in empty}, skipped
