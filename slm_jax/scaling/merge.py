"""Several tables of runs as one, to fit them side by side."""

import csv
import os
import pathlib
from collections.abc import Iterable

from slm_jax.files import atomic_path
from slm_jax.scaling.csv_table import read_rows
from slm_jax.scaling.table import read_runs


def merge_tables(tables: Iterable[str | os.PathLike], path: str | os.PathLike) -> None:
    """Writes a table with the rows and the columns of all; cells a table does not have stay empty.

    Raises InputError for a table that cannot be read on its own.
    """
    merged, columns = [], {}
    for table in tables:
        read_runs(table)  # what is wrong is told of the file it is in
        rows, names = read_rows(table)
        merged += rows
        columns |= dict.fromkeys(names)
    with (
        atomic_path(pathlib.Path(path)) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(merged)
