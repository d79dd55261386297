"""The text files of textless NLP (GSLM, textlesslib, fairseq): `name|1 2 3` or `name<TAB>1 2 3` a line."""

import os
import pathlib

import numpy as np

from slm_jax.data.imports.lines import Lines
from slm_jax.data.imports.record import ImportedRecord, check_units
from slm_jax.errors import InputError
from slm_jax.files import stream_lines


def open_textless(path: str | os.PathLike) -> Lines:
    """The units of a file, or of the .txt, .tsv, .km and .units files of a folder.

    Lines without names, as in fairseq's FILE.km, take them from the manifest FILE.tsv beside it. Raises
    InputError when the two have different numbers of lines.
    """
    return _Textless(path, (".txt", ".tsv", ".km", ".units"), _parse)


class _Textless(Lines):
    def __init__(self, path, suffixes, parse):
        super().__init__(path, suffixes, parse)
        manifests = {file: file.with_suffix(".tsv") for file in self._files if _is_nameless(file)}
        self._files = [file for file in self._files if file not in manifests.values()]
        self._names = {file: _names(file, manifest) for file, manifest in manifests.items()}

    def _named(self, path: pathlib.Path, number: int, text: str) -> str:
        return f"{self._names[path][number - 1]}\t{text}" if path in self._names else text


def _is_nameless(path: pathlib.Path) -> bool:
    if path.suffix != ".km" or not path.with_suffix(".tsv").is_file():
        return False
    _, first = next(stream_lines(path), (1, ""))
    return "|" not in first and "\t" not in first


def _names(path: pathlib.Path, manifest: pathlib.Path) -> list[str]:
    """The paths in a fairseq manifest without their suffixes; its first line is their folder."""
    rows = [line.partition("\t")[0] for number, line in stream_lines(manifest) if number > 1 and line.strip()]
    lines = sum(1 for _ in stream_lines(path))
    if lines != len(rows):
        raise InputError(
            f"{path}: has {lines} lines, but {manifest} names {len(rows)} recordings; give the manifest it "
            "was made from"
        )
    return [str(pathlib.PurePosixPath(row).with_suffix("")) for row in rows]


def _parse(where: str, line: str) -> ImportedRecord:
    name, separator, numbers = line.rpartition("\t" if "\t" in line else "|")
    if not separator or not name.strip():
        raise InputError(
            f"{where}: expected `name|1 2 3` or name, tab and units (or, in a .km file, units and a .tsv "
            f"of the same name beside it), found {line[:40]!r}"
        )
    try:
        units = [int(number) for number in numbers.replace(",", " ").split()]
    except ValueError:
        raise InputError(f"{where}: expected units as whole numbers, found {numbers[:40]!r}") from None
    return ImportedRecord(where, name.strip(), check_units(where, np.array(units, np.int64)))
