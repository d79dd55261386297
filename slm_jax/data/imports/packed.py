"""The packed shards of slm_scaling: meta.json, audio.bin (int16), audio.len (int64), samples.jsonl."""

import json
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from slm_jax.data.imports.record import ImportedRecord, check_units, record_of_row
from slm_jax.errors import InputError
from slm_jax.files import read_json

META, BIN, LENGTHS, SAMPLES = "meta.json", "audio.bin", "audio.len", "samples.jsonl"


def open_packed(path: str | os.PathLike) -> "PackedShards":
    """The units of one shard folder, or of every shard folder below a folder."""
    return PackedShards(path)


class PackedShards:
    """Shard folders, checked to be consistent; raises InputError naming the file and the line."""

    def __init__(self, path: str | os.PathLike):
        path = pathlib.Path(path)
        self._folders = sorted(
            meta.parent for meta in path.rglob(META) if not meta.parent.name.startswith(".")
        )
        if not self._folders:
            raise InputError(f"{path}: no {META} there or in a folder below; give a folder of packed shards")
        found = {_number_of_units(folder) for folder in self._folders}
        if len(found) > 1:
            raise InputError(f"{path}: the shards say different vocabularies; import those of one tokenizer")
        self.k: int | None = found.pop()
        self._lengths = [_lengths(folder) for folder in self._folders]
        self._units = [_units(*both) for both in zip(self._folders, self._lengths, strict=True)]

    def places(self) -> Iterator[tuple[tuple[int, int, int, int, int], ImportedRecord]]:
        """Every record with (shard, first and last unit, byte and number of its line in samples.jsonl)."""
        for shard, (folder, lengths_R) in enumerate(zip(self._folders, self._lengths, strict=True)):
            ends_R, record, start = np.cumsum(lengths_R), 0, 0
            with _open(folder / SAMPLES) as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        if record == len(lengths_R):
                            raise InputError(
                                f"{file.name}, line {number}: {LENGTHS} has only {record} lengths"
                            )
                        end = int(ends_R[record])
                        place = shard, end - int(lengths_R[record]), end, start, number
                        yield place, self._record(place, line)
                        record += 1
                    start += len(line)
            if record != len(lengths_R):
                raise InputError(
                    f"{folder / SAMPLES}: has {record} rows, but {LENGTHS} has {len(lengths_R)} lengths"
                )

    def read(self, place: Sequence[int]) -> ImportedRecord:
        with _open(self._folders[place[0]] / SAMPLES) as file:
            file.seek(place[3])
            return self._record(place, file.readline())

    def _record(self, place: Sequence[int], line: bytes) -> ImportedRecord:
        shard, start, end, _, number = place
        where = f"{self._folders[shard] / SAMPLES}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:  # also of bytes that are not UTF-8
            raise InputError(f"{where}: not valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: expected a JSON object with named fields")
        if row.get("audio_steps", end - start) != end - start:
            raise InputError(
                f"{where}: field 'audio_steps' is {row['audio_steps']}, but {LENGTHS} says {end - start}"
            )
        return record_of_row(where, row, row.get("id"), check_units(where, self._units[shard][start:end]))


def _number_of_units(folder: pathlib.Path) -> int | None:
    """K by what meta.json says of the special tokens, which follow the units."""
    meta = read_json(folder / META)
    if not isinstance(meta, dict):
        raise InputError(f"{folder / META}: expected a JSON object with named fields")
    fields = meta | (meta.get("preprocessing") if isinstance(meta.get("preprocessing"), dict) else {})
    for field, specials in {"num_units": 0, "eos_token": 0, "vocab_size": 2}.items():
        if isinstance(fields.get(field), int):
            return fields[field] - specials
    return None


def _lengths(folder: pathlib.Path) -> np.ndarray:
    path = folder / LENGTHS
    with _open(path) as file:
        lengths_R = np.frombuffer(_whole(path, file.read(), 8), "<i8")
    if not len(lengths_R) or lengths_R.min() < 1:
        raise InputError(f"{path}: must hold lengths above 0; restore the shard")
    return lengths_R


def _units(folder: pathlib.Path, lengths_R: np.ndarray) -> np.ndarray:
    path, wanted = folder / BIN, int(lengths_R.sum())
    if not path.is_file():
        raise InputError(f"{path}: no such file; restore the shard")
    if path.stat().st_size != 2 * wanted:
        raise InputError(
            f"{path}: has {path.stat().st_size} bytes, but the lengths in {LENGTHS} make {2 * wanted}; "
            "restore the shard"
        )
    return np.memmap(path, "<i2", mode="r")


def _whole(path: pathlib.Path, content: bytes, size: int) -> bytes:
    if len(content) % size:
        raise InputError(
            f"{path}: has {len(content)} bytes, which is no multiple of {size}; restore the shard"
        )
    return content


def _open(path: pathlib.Path):
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore the shard") from None
