"""The text files of textless NLP (GSLM, textlesslib, fairseq): `name|1 2 3` or `name<TAB>1 2 3` a line."""

import os

import numpy as np

from slm_jax.data.imports.lines import Lines
from slm_jax.data.imports.record import ImportedRecord, check_units
from slm_jax.errors import InputError


def open_textless(path: str | os.PathLike) -> Lines:
    """The units of a file, or of the .txt, .tsv, .km and .units files of a folder."""
    return Lines(path, (".txt", ".tsv", ".km", ".units"), _parse)


def _parse(where: str, line: str) -> ImportedRecord:
    name, separator, numbers = line.rpartition("\t" if "\t" in line else "|")
    if not separator or not name.strip():
        raise InputError(f"{where}: expected `name|1 2 3` or name, tab and units, found {line[:40]!r}")
    try:
        units = [int(number) for number in numbers.replace(",", " ").split()]
    except ValueError:
        raise InputError(f"{where}: expected units as whole numbers, found {numbers[:40]!r}") from None
    return ImportedRecord(where, name.strip(), check_units(where, np.array(units, np.int64)))
