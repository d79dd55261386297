"""The first reading of another project's units: every record is checked, none is kept."""

import array
import collections
import dataclasses
import os

import numpy as np

from slm_jax.corpora import assign_split
from slm_jax.data.imports.record import ImportedRecord, Units
from slm_jax.errors import InputError
from slm_jax.progress import progress

PAIRS_SPLIT = "test"
# Chunks of a recording that were collapsed one by one leave a repeat where they join, and no more.
REPEATS_OF_COLLAPSED = 0.01


@dataclasses.dataclass
class Survey:
    """Per split the places_RxP of its records, and facts of all records."""

    places: dict[str, np.ndarray]
    pairs: bool
    durations: bool  # whether the frames of each unit are known
    collapsed: bool
    seconds: int  # records that say their seconds

    @property
    def records(self) -> int:
        return sum(map(len, self.places.values()))


def survey(source: str | os.PathLike, units: Units, k: int) -> Survey:
    """Reads every record once; of each its id and its place stay in memory.

    Raises InputError naming file and line: a bad record, an id that occurs twice, minimal pairs among plain
    recordings.
    """
    places = collections.defaultdict(lambda: array.array("q"))
    seen: set[str] = set()
    pairs = with_runs = with_seconds = neighbours = repeats = width = 0
    for place, record in progress(units.places(), desc="check", unit="record"):
        if record.id in seen:
            raise InputError(f"{record.where}: id {record.id!r} occurs before; ids must be unique")
        if bool(pairs) != (record.pair is not None) and seen:
            raise InputError(
                f"{record.where}: minimal pairs and plain recordings are mixed; import one after the other"
            )
        seen.add(record.id)
        strip_special(record, k)
        default = assign_split(record.id) if record.pair is None else PAIRS_SPLIT
        places[record.split or default].extend(place)
        width = len(place)
        pairs += record.pair is not None
        with_runs += record.runs_L is not None
        with_seconds += record.seconds is not None
        neighbours += len(record.units_L) - 1
        repeats += int((np.diff(record.units_L.astype(np.int32)) == 0).sum())
    if not seen:
        raise InputError(f"{source}: has no records")
    return Survey(
        {split: np.array(numbers).reshape(-1, width) for split, numbers in sorted(places.items())},
        pairs=pairs > 0,
        durations=with_runs == len(seen),
        collapsed=repeats <= REPEATS_OF_COLLAPSED * neighbours,
        seconds=with_seconds,
    )


def strip_special(record: ImportedRecord, k: int) -> None:
    """Removes EOS (k) and PAD (k + 1) from both ends; raises InputError for other numbers outside 0..k-1."""
    inside = np.flatnonzero(record.units_L < k)
    if not len(inside):
        raise InputError(f"{record.where}: holds no unit in 0..{k - 1}; remove the record or correct k")
    kept = slice(inside[0], inside[-1] + 1)
    units_L = record.units_L[kept]
    if units_L.max() >= k or record.units_L.max() > k + 1:
        raise InputError(
            f"{record.where}: holds the number {max(units_L.max(), record.units_L.max())}, but units are "
            f"0..{k - 1}, with EOS {k} and PAD {k + 1} at the ends alone; correct the record or k"
        )
    record.units_L = units_L
    if record.runs_L is not None:
        record.runs_L = record.runs_L[kept]
