"""The JSON lines of slamkit and textlesslib: units, their durations and a name in each."""

import json
import os
import re

import numpy as np

from slm_jax.data.imports.lines import Lines
from slm_jax.data.imports.record import ImportedRecord, check_units, record_of_row
from slm_jax.errors import InputError

NAMES = ("id", "file_name", "name", "audio")
UNITS = ("units", "audio_repr", "tokens", "hubert")


def open_slamkit(path: str | os.PathLike) -> Lines:
    """The units of a file, or of the .jsonl files of a folder.

    A row has its units as a list of integers, as "1 2 3" or as "<Un1><Un2><Un3>"; a list `duration` gives the
    frames of each unit, a number the seconds of the recording.
    """
    return Lines(path, (".jsonl",), _parse)


def _parse(where: str, line: str) -> ImportedRecord:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not valid JSON ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected a JSON object with named fields, found {line[:40]}")
    field = next((field for field in UNITS if field in row), None)
    if field is None:
        raise InputError(f"{where}: has no field {', '.join(UNITS[:-1])} or {UNITS[-1]}; add the units")
    units_L = check_units(where, _numbers(where, field, row[field]))
    name = next((row[name] for name in NAMES if name in row), None)
    record = record_of_row(where, row, name, units_L)
    if isinstance(row.get("duration"), list):
        record.runs_L = check_units(f"{where}, field 'duration'", row["duration"])
        if len(record.runs_L) != len(units_L) or record.runs_L.min() < 1:
            raise InputError(
                f"{where}: field 'duration' must have one number above 0 for each of the {len(units_L)} units"
            )
    return record


def _numbers(where: str, field: str, units: object) -> np.ndarray:
    if isinstance(units, list) and all(type(unit) is int for unit in units):
        return np.array(units, np.int64)
    if isinstance(units, str) and re.fullmatch(r"(<Un\d+>)+|\d+( +\d+)*", units.strip()):
        return np.array(re.findall(r"\d+", units), np.int64)
    raise InputError(
        f'{where}: field {field!r} holds something else than units, which are written [1, 2], "1 2" or '
        f'"<Un1><Un2>"; found {str(units)[:40]!r}'
    )
