"""A recording as another project left it: its units and what is known of it."""

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from slm_jax.data.schema import PAIR_FIELDS
from slm_jax.errors import InputError

SPLITS = {"train": "train", "valid": "validation", "val": "validation", "dev": "validation", "test": "test"}


@dataclasses.dataclass
class ImportedRecord:
    """`where` names file and line for messages; `frames` are the frames of the audio, `runs_L` those of each
    unit; `pair` has the fields of a candidate of a minimal pair. None: the source does not say.
    """

    where: str
    id: str
    units_L: np.ndarray
    split: str | None = None
    source: str | None = None
    speaker: str | None = None
    seconds: float | None = None
    runs_L: np.ndarray | None = None
    pair: dict | None = None


class Units(Protocol):
    """The units of another project, read record by record so that they need not fit into memory."""

    k: int | None  # number of units, where the source says it

    def places(self) -> Iterator[tuple[tuple[int, ...], ImportedRecord]]:
        """Every record in order, with the numbers by which `read` finds it again."""

    def read(self, place: Sequence[int]) -> ImportedRecord:
        """The record at a place."""


def named_split(name: str | None) -> str | None:
    """The split a corpus calls train, dev-clean, valid or the like; None when the name says nothing."""
    return SPLITS.get(re.split(r"[^a-z]", (name or "").lower())[0])


def check_units(where: str, units: object) -> np.ndarray:
    """units_L (uint16) of a list of integers; raises InputError when it is none."""
    units_L = np.asarray(units)
    if units_L.ndim != 1 or not len(units_L):
        raise InputError(f"{where}: holds no units; remove the record or give its units")
    if units_L.dtype.kind not in "iu" or units_L.min() < 0 or units_L.max() > np.iinfo(np.uint16).max:
        raise InputError(f"{where}: the units must be whole numbers from 0 to 65535; correct the record")
    return units_L.astype(np.uint16)


def record_of_row(where: str, row: dict, id: object, units_L: np.ndarray) -> ImportedRecord:
    """The record of a JSON row: its text fields, seconds and pair where they are given under a usual name."""
    if not isinstance(id, str) or not id:
        raise InputError(f"{where}: has no name; add a field 'id' of text")
    seconds = next(
        (row[key] for key in ("seconds", "duration", "source_duration") if _is_number(row.get(key))), None
    )
    if seconds is not None and not 0 < seconds < math.inf:
        raise InputError(f"{where}: the duration is {seconds}; give seconds above 0, or none")
    pair = {field: row[field] for field in PAIR_FIELDS if field in row}
    if pair and not _is_pair(pair):
        raise InputError(
            f"{where}: a candidate of a minimal pair needs group, phenomenon and voice as text and correct "
            "as true or false; add or correct them"
        )
    text = {field: row[field] for field in ("split", "source", "dataset", "speaker") if row.get(field)}
    for field, value in text.items():
        if not isinstance(value, str):
            raise InputError(f"{where}: field {field!r} is {value!r}; give text")
    source = text.get("source", text.get("dataset"))
    return ImportedRecord(
        where,
        id,
        units_L,
        named_split(text.get("split")),
        source,
        text.get("speaker"),
        seconds,
        pair=pair or None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(pair: dict) -> bool:
    kinds = {field: bool if field == "correct" else str for field in PAIR_FIELDS}
    return all(isinstance(pair.get(field), kind) for field, kind in kinds.items())
