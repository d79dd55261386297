"""From another project's files to a dataset: read twice, to check and to write, in bounded memory."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from slm_jax.data import schema
from slm_jax.data.imports.packed import open_packed
from slm_jax.data.imports.record import ImportedRecord, Units
from slm_jax.data.imports.slamkit import open_slamkit
from slm_jax.data.imports.survey import Survey, strip_special, survey
from slm_jax.data.imports.textless import open_textless
from slm_jax.data.shards import check_absent, check_name, write_dataset
from slm_jax.errors import InputError
from slm_jax.progress import progress
from slm_jax.tokenizer import read_config, write_external

IMPORT_FORMATS: dict[str, Callable[[str | os.PathLike], Units]] = {
    "slm_scaling": open_packed,
    "slamkit": open_slamkit,
    "textless": open_textless,
}


def import_units(
    format: str,
    source: str | os.PathLike,
    out_dir: str | os.PathLike,
    *,
    name: str,
    k: int | None = None,
    tokenizer_dir: str | os.PathLike | None = None,
    frame_rate: float | None = None,
    origin: str | None = None,
    source_name: str | None = None,
) -> list[str]:
    """Writes the units in another project's file or folder as the dataset `name`; returns notes for the user.

    `format` is one of IMPORT_FORMATS. Either `tokenizer_dir` has the tokenizer that made the units, or k,
    frame_rate (frames per second) and `origin`, a name for what made them (default: the format), describe it:
    datasets with the same three are units of one tokenizer. k may be left out where the source says it. EOS
    (k) and PAD (k + 1) at the ends of a recording are removed. Splits are those of the source, else
    `assign_split`'s; records with group, phenomenon, voice and correct make a pairs dataset. Seconds are
    those of the source, else frames over frame_rate; where some can be told by neither, all are 0, which is
    unknown. `source_name` replaces the source of every record.

    Raises InputError naming file and line for a bad record, an id that occurs twice or a unit outside 0..k-1,
    and when `out_dir` is there already.
    """
    check_name(name, "dataset name")
    check_absent(out_dir)
    if format not in IMPORT_FORMATS:
        raise InputError(f"format {format!r} is unknown; the formats are: {', '.join(IMPORT_FORMATS)}")
    units = IMPORT_FORMATS[format](source)
    config = {} if tokenizer_dir is None else read_config(tokenizer_dir)
    k = _agreed("k", k, units.k, config.get("k"))
    frame_rate = _agreed("frame_rate", frame_rate, config.get("frame_rate"))
    if k is None:
        raise InputError(
            f"{source}: does not say how many different units there are; give k or the tokenizer"
        )
    if frame_rate is not None and not frame_rate > 0:
        raise InputError(f"frame_rate is {frame_rate}: give the feature frames per second, above 0")
    found = survey(source, units, k)
    if config.get("collapse") and not found.collapsed:
        raise InputError(
            f"{source}: repeats units, but the tokenizer in {tokenizer_dir} collapses repeats; give the one "
            "that made these units"
        )
    with contextlib.ExitStack() as stack:
        if tokenizer_dir is None:
            tokenizer_dir = stack.enter_context(tempfile.TemporaryDirectory())
            write_external(
                tokenizer_dir, origin=origin or format, k=k, frame_rate=frame_rate, collapse=found.collapsed
            )
        bar = stack.enter_context(progress(total=found.records, desc="import", unit="record"))

        def example(record: ImportedRecord) -> dict:
            bar.update()
            strip_special(record, k)
            return {
                "id": record.id,
                "units": record.units_L,
                "source": source_name or record.source or name,
                "speaker": record.speaker or "unknown",
                "seconds": _seconds(record, found, frame_rate),
                **({schema.RUNS: record.runs_L} if found.durations else {}),
                **(record.pair or {}),
            }

        rows = {split: _Rows(units, places, example) for split, places in found.places.items()}
        write_dataset(
            out_dir,
            rows,
            name=name,
            kind=schema.PAIRS if found.pairs else schema.UNITS,
            tokenizer_dir=tokenizer_dir,
            durations=found.durations,
        )
    return _notes(found, frame_rate)


def _agreed(field: str, *values: float | None) -> float | None:
    """The one value that is given, however often."""
    given = {value for value in values if value is not None}
    if len(given) > 1:
        raise InputError(
            f"{field} is {' or '.join(f'{value:g}' for value in sorted(given))} by what was given, by the "
            "tokenizer and by the source; leave it out, or give the tokenizer that made the units"
        )
    return given.pop() if given else None


class _Rows(Sequence):
    """The examples of a split, each read when it is asked for."""

    def __init__(self, units: Units, places_RxP: np.ndarray, example: Callable[[ImportedRecord], dict]):
        self._units, self._places_RxP, self._example = units, places_RxP, example

    def __len__(self) -> int:
        return len(self._places_RxP)

    def __getitem__(self, index: int) -> dict:
        return self._example(self._units.read(self._places_RxP[index].tolist()))


def _seconds(record: ImportedRecord, found: Survey, frame_rate: float | None) -> float:
    if _missing_seconds(found, frame_rate):
        return 0.0
    if record.seconds is not None:
        return record.seconds
    return (int(record.runs_L.sum()) if found.durations else len(record.units_L)) / frame_rate


def _missing_seconds(found: Survey, frame_rate: float | None) -> int:
    """Records whose seconds nothing tells."""
    has_frames = frame_rate is not None and (found.durations or not found.collapsed)
    return 0 if has_frames else found.records - found.seconds


def _notes(found: Survey, frame_rate: float | None) -> list[str]:
    missing = _missing_seconds(found, frame_rate)
    if not missing:
        return []
    reason = (
        "without durations, and with repeats removed" if frame_rate else "without durations or a frame rate"
    )
    return [f"{missing} of {found.records} recordings come {reason}: the hours of the dataset stay unknown"]
