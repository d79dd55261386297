"""The plan of an encoding: recordings streamed once to disk, counted, and dealt out to shards by hash.

Of every recording 8 bytes stay in memory: enough to find an id that occurs twice.
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
from slm_jax.data.encode_shard import ShardJob, recording_of
from slm_jax.data.shards import check_name, named_write_errors, shard_paths
from slm_jax.errors import InputError

PAIRS_SPLIT = "test"
BUFFERED_LINES = 10_000  # held before they are appended to the lists of their shards


@dataclasses.dataclass
class Spool:
    """All recordings in a nameless file, which vanishes with the process, and what is known of them.

    A line is split, position (the hash that decides the shard and the order in it) and recording.
    """

    file: IO[str]
    kind: str
    counts: dict[str, int]
    digest: str  # of the set of recordings, whatever their order

    def recordings(self) -> Iterator[Recording]:
        """The recordings as they came, with their splits."""
        return (recording_of(row) for _, _, row in self.lines())

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Split, position (16 hexadecimal digits) and JSON of every recording."""
        self.file.seek(0)
        for line in self.file:
            split, position, row = line.rstrip("\n").split(" ", 2)
            yield split, position, row


def spool_recordings(recordings: Iterable[Recording], folder: pathlib.Path) -> Spool:
    """Streams recordings to a nameless file in `folder`; raises InputError for a bad one."""
    with named_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile("w+", dir=folder, encoding="ascii")  # noqa: SIM115 (the spool's)
    kind, counts, rows_digest, ids = None, collections.Counter(), 0, array.array("Q")
    for recording in recordings:
        kind = kind or (schema.PAIRS if _is_of_a_pair(recording) else schema.UNITS)
        _check_kind(recording, kind)
        split = recording.split or (PAIRS_SPLIT if kind == schema.PAIRS else split_of(recording))
        if split not in counts:
            check_name(split, "split")
        counts[split] += 1
        rows_digest += int.from_bytes(hashlib.sha256(_identity(recording)).digest())
        ids.append(_hash(recording.id))
        # The candidates of a minimal pair share its place, in all voices.
        place = _hash(recording.fields["group"]) if kind == schema.PAIRS else ids[-1]
        row = vars(recording) | {"path": _location(recording), "split": split}
        with named_write_errors(folder):
            file.write(f"{split} {place:016x} {json.dumps(row)}\n")
    if kind is None:
        raise InputError("there are no recordings to encode; give a manifest or a folder of audio")
    with named_write_errors(folder):
        file.flush()
    spool = Spool(file, kind, dict(sorted(counts.items())), f"{rows_digest % 2**256:064x}")
    _check_unique(spool, ids)
    return spool


def shard_jobs(dataset: pathlib.Path, name: str, counts: dict[str, int]) -> Iterator[ShardJob]:
    """The jobs of all shards, in order; `counts` are the shards of every split."""
    for split, shards in counts.items():
        for path in shard_paths(dataset, name, split, shards):
            yield ShardJob(split, path)


def deal(spool: Spool, jobs: Iterable[ShardJob], shards: dict[str, int]) -> int:
    """Writes the lists of recordings of the shards that are not yet written; returns their recordings.

    A shard holds the recordings whose positions lie in its share of all positions, so shards are about equal
    and every one is a fair sample of the corpus.
    """
    lists: dict[str, list[pathlib.Path | None]] = collections.defaultdict(list)
    for job in jobs:
        job.listing.unlink(missing_ok=True)
        lists[job.split].append(None if job.is_written() else job.listing)
    dealt, waiting = 0, collections.defaultdict(list)
    for split, position, row in spool.lines():
        path = lists[split][int(position, 16) * shards[split] >> 64]
        if path is None:
            continue
        waiting[path].append(f"{position} {row}\n")
        dealt += 1
        if dealt % BUFFERED_LINES == 0:
            _append(waiting)
    _append(waiting)
    return dealt


def _append(waiting: dict[pathlib.Path, list[str]]) -> None:
    for path, lines in waiting.items():
        with named_write_errors(path), path.open("a", encoding="ascii") as file:
            file.writelines(lines)
    waiting.clear()


def _is_of_a_pair(recording: Recording) -> bool:
    return any(field in recording.fields for field in schema.PAIR_FIELDS)


def _check_kind(recording: Recording, kind: str) -> None:
    if kind == schema.UNITS:
        if _is_of_a_pair(recording):
            raise InputError(
                f"recording {recording.id!r}: belongs to a minimal pair, but those before it do not; give "
                "plain recordings and minimal pairs in manifests of their own"
            )
        return
    for field in schema.PAIR_FIELDS:
        value = recording.fields.get(field)
        if not isinstance(value, bool if field == "correct" else str):
            raise InputError(
                f"recording {recording.id!r}: field {field!r} is missing or has the wrong type "
                f"({value!r}); every recording of minimal pairs needs {', '.join(schema.PAIR_FIELDS)}"
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
