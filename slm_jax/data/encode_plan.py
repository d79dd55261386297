"""The plan of an encoding: recordings streamed once to disk, counted, and dealt out to shards by hash.

Of every recording 8 bytes stay in memory: enough to find an id that occurs twice. On the disk they are sorted
by the first bits of their positions, so that dealing writes few long pieces to each shard's list.
"""

import array
import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from slm_jax.corpora import Recording, split_of
from slm_jax.data import schema
from slm_jax.data.encode_shard import ShardJob, is_of_a_pair, recording_of
from slm_jax.data.shards import check_name, named_write_errors, shard_paths
from slm_jax.errors import InputError
from slm_jax.progress import progress

PAIRS_SPLIT = "test"
SPOOL_BITS = 6  # of a position decide the file: 64 open files, which any system allows
BUFFERED_BYTES = 2**27  # held before they are appended to the lists of their shards


@dataclasses.dataclass
class Spool:
    """All recordings in nameless files, which vanish with the process, and what is known of them.

    A line is split, position (the hash that decides the shard and the order in it) and recording. Each file
    has an equal share of all positions, in order.
    """

    files: list[IO[str]]
    kind: str
    counts: dict[str, int]
    digest: str  # of the set of recordings, whatever their order

    def recordings(self) -> Iterator[Recording]:
        """The recordings with their splits, in no order to rely on."""
        return (recording_of(row) for _, _, row in self.lines())

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Split, position (16 hexadecimal digits) and JSON of every recording."""
        for file in self.files:
            file.seek(0)
            for line in file:
                split, position, row = line.rstrip("\n").split(" ", 2)
                yield split, position, row

    def close(self) -> None:
        for file in self.files:
            file.close()


def spool_recordings(recordings: Iterable[Recording], folder: pathlib.Path) -> Spool:
    """Streams recordings to nameless files in `folder`; raises InputError for a bad one."""
    with named_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = [
            tempfile.TemporaryFile("w+", dir=folder, encoding="ascii")  # noqa: SIM115 (the spool's)
            for _ in range(2**SPOOL_BITS)
        ]
    kind, counts, rows_digest, ids = None, collections.Counter(), 0, array.array("Q")
    for recording in progress(recordings, desc="recordings", unit="recording"):
        kind = kind or (schema.PAIRS if is_of_a_pair(recording) else schema.UNITS)
        _check_kind(recording, kind)
        split = recording.split or (PAIRS_SPLIT if kind == schema.PAIRS else split_of(recording))
        if split not in counts:
            check_name(split, f"recording {recording.id!r}: its split")
        counts[split] += 1
        rows_digest += int.from_bytes(hashlib.sha256(_identity(recording)).digest())
        ids.append(_hash(recording.id))
        # The candidates of a minimal pair share its place, in all voices.
        place = _hash(recording.fields["group"]) if kind == schema.PAIRS else ids[-1]
        row = vars(recording) | {"path": _location(recording), "split": split}
        with named_write_errors(folder):
            files[place >> 64 - SPOOL_BITS].write(f"{split} {place:016x} {json.dumps(row)}\n")
    if kind is None:
        raise InputError("there are no recordings to encode; give a manifest or a folder of audio")
    with named_write_errors(folder):
        for file in files:
            file.flush()
    spool = Spool(files, kind, dict(sorted(counts.items())), f"{rows_digest % 2**256:064x}")
    _check_unique(spool, ids)
    return spool


def deal(
    spool: Spool, dataset: pathlib.Path, name: str, shards: dict[str, int]
) -> tuple[list[ShardJob], list[ShardJob]]:
    """Writes the lists of recordings of the shards that are not yet written; `shards` are those of a split.

    Returns the jobs of all shards, in order, and of those to write. A shard holds the recordings whose
    positions lie in its share of all positions, so shards are about equal and every one is a fair sample of
    the corpus.
    """
    jobs, first = [], {}
    for split, count in shards.items():
        first[split] = len(jobs)
        jobs += [ShardJob(split, path, 0) for path in shard_paths(dataset, name, split, count)]
    is_written, records = [job.is_written() for job in jobs], [0] * len(jobs)
    waiting, size = collections.defaultdict(list), 0
    total = sum(spool.counts.values())
    for split, position, row in progress(spool.lines(), total=total, desc="lists", unit="recording"):
        index = first[split] + (int(position, 16) * shards[split] >> 64)
        records[index] += 1
        if is_written[index]:
            continue
        waiting[jobs[index]].append(f"{position} {row}\n")
        size += len(position) + len(row) + 2
        if size > BUFFERED_BYTES:
            _append(waiting)
            size = 0
    _append(waiting)
    for job, done in zip(jobs, is_written, strict=True):
        if not done:
            with named_write_errors(job.listing):
                _unfinished(job).touch()  # no recording may have its position in this shard's share
                os.replace(_unfinished(job), job.listing)
    jobs = [dataclasses.replace(job, records=count) for job, count in zip(jobs, records, strict=True)]
    return jobs, [job for job, done in zip(jobs, is_written, strict=True) if not done]


def _append(waiting: dict[ShardJob, list[str]]) -> None:
    for job, lines in waiting.items():
        path = _unfinished(job)
        with named_write_errors(path), path.open("a", encoding="ascii") as file:
            file.writelines(lines)
    waiting.clear()


def _unfinished(job: ShardJob) -> pathlib.Path:
    return job.listing.with_name(f".{job.listing.name}.tmp")


def _check_kind(recording: Recording, kind: str) -> None:
    if kind == schema.UNITS:
        if is_of_a_pair(recording):
            raise InputError(
                f"recording {recording.id!r}: belongs to a minimal pair, but those before it do not; give "
                "plain recordings and minimal pairs in manifests of their own"
            )
        return
    for field in schema.PAIR_FIELDS:
        value = recording.fields.get(field)
        if not isinstance(value, bool if field == "correct" else str):
            raise InputError(
                f"recording {recording.id!r}: field {field!r} is missing or has the wrong type ({value!r}); "
                f"recordings with group and correct are minimal pairs, each with "
                f"{', '.join(schema.PAIR_FIELDS)}: add what is missing, or rename fields that mean something "
                "else"
            )


def _check_unique(spool: Spool, ids: array.array) -> None:
    hashes = np.frombuffer(ids, np.uint64)
    hashes.sort()
    repeated = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not repeated:
        return
    found = (json.loads(row)["id"] for _, _, row in spool.lines())
    id, times = collections.Counter(id for id in found if _hash(id) in repeated).most_common(1)[0]
    if times > 1:
        raise InputError(f"recording id {id!r} occurs {times} times; ids must be unique")


def _identity(recording: Recording) -> bytes:
    """What decides the bytes of a record; where a file lies does not."""
    row = dict(vars(recording))
    row["path"] = None if recording.is_file else os.fspath(recording.path)
    return json.dumps(row, sort_keys=True).encode()


def _location(recording: Recording) -> str:
    return os.fspath(recording.path.absolute() if recording.is_file else recording.path)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
