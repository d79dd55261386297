"""Cells as numbers: what a column may hold, and the one sentence when it holds something else."""

import math
import re

import numpy as np

from slm_jax.errors import InputError

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
# Names that promise fractions: elsewhere numbers beyond 0 to 1 are some other column, which is left alone.
ACCURACY_NAME = re.compile(
    r"^acc(uracy)?_|(\b|_)acc(uracy)?$|(blimp|cloze|minimal_pairs)(_macro|_pair)?$", re.IGNORECASE
)
BOUND_SUFFIXES = ("_low", "_high")


class Cells:
    """The cells of a table, to be read column by column; `source` is named in every error."""

    def __init__(self, source: object, rows: list[dict[str, str]], columns: list[str]):
        self.source, self.rows, self.columns = source, rows, columns

    def text(self, name: str) -> tuple[str, ...]:
        """The cells of a column, empty ones where there is no such column."""
        return tuple(row.get(name, "") for row in self.rows)

    def where(self, number: int, name: str) -> str:
        """Names the file, the row (counted from 1, without the header), its model and the column."""
        model = self.rows[number - 1].get("model") or "no name"
        return f"{self.source}, row {number} ({model}), column {name!r}"

    def positive(self, name: str, *, required: bool, if_failed: str = "") -> np.ndarray:
        """Positive finite numbers, one a row; NaN for the empty cells of a column that is not required."""
        values = []
        for number, cell in enumerate(self.text(name), start=1):
            if not cell and not required:
                values.append(math.nan)
                continue
            where = self.where(number, name)
            if not cell:
                raise InputError(f"{where}: the value is missing; fill it in or drop the row")
            value = as_number(cell)
            if value is None:
                raise InputError(f"{where}: {cell!r} is not a number; {_fix(cell)}")
            if not math.isfinite(value):
                raise InputError(
                    f"{where}: {cell} is not finite; drop the row of a run that failed{if_failed}"
                )
            if value <= 0:
                raise InputError(
                    f"{where}: {cell} must be positive; correct it or drop the row of a run that failed"
                )
            values.append(value)
        return np.array(values)

    def fractions(self, name: str) -> np.ndarray:
        """Numbers from 0 to 1, one a row; NaN for empty cells."""
        values = []
        for number, cell in enumerate(self.text(name), start=1):
            if not cell:
                values.append(math.nan)
                continue
            value = as_number(cell)
            where = self.where(number, name)
            if value is None or not math.isfinite(value):
                raise InputError(
                    f"{where}: {cell!r} is no accuracy; leave the cell empty where a run was not evaluated"
                )
            if not 0 <= value <= 1:
                fix = "divide the column by 100" if 1 < value <= 100 else "correct it"
                raise InputError(
                    f"{where}: {cell} is not between 0 and 1, as an accuracy must be; {fix}, or rename the "
                    "column if it is no accuracy"
                )
            values.append(value)
        return np.array(values)

    def promises_fractions(self, name: str) -> bool:
        """Whether a column says by its name, or by the interval beside it, that it holds accuracies."""
        base = next((name.removesuffix(end) for end in BOUND_SUFFIXES if name.endswith(end)), name)
        if base not in self.columns:
            return False
        bounds = [base + end in self.columns for end in BOUND_SUFFIXES]
        return all(bounds) or ACCURACY_NAME.search(base) is not None

    def holds_fractions(self, name: str) -> bool:
        """Whether all filled cells, and one at least, are numbers from 0 to 1."""
        values = [as_number(cell) for cell in self.text(name) if cell]
        return bool(values) and all(value is not None and 0 <= value <= 1 for value in values)

    def like_percent(self, name: str) -> int | None:
        """The row of the first number beyond 1 in a column that could be accuracies in percent, or None."""
        filled = [(number, cell) for number, cell in enumerate(self.text(name), start=1) if cell]
        values = [(number, as_number(cell)) for number, cell in filled]
        if not values or any(value is None or not 0 <= value <= 100 for _, value in values):
            return None
        if all(value == round(value) for _, value in values):  # layers, epochs, seeds
            return None
        return next(number for number, value in values if value > 1)


def as_number(cell: str) -> float | None:
    """The number a cell holds, as Python and spreadsheets write it; None when it holds something else."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _fix(cell: str) -> str:
    short = re.fullmatch(r"([\d.]+)\s*([kmbgt])", cell, re.IGNORECASE)
    amount = short and as_number(short[1])
    if amount is not None:
        return f"write {amount * UNITS[short[2].lower()]:.0f}"
    if re.fullmatch(r"[\d.,' ]+", cell):
        return "write it with a decimal point and nothing between the thousands"
    return "correct it or drop the row"
