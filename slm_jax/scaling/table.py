"""The table the laws are fitted to: one row a completed training run."""

import csv
import math
import os
import pathlib
from dataclasses import dataclass, field

import numpy as np

from slm_jax.errors import InputError

TEXT_COLUMNS = ("model", "modality", "tokenizer", "run")
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0  # training compute C = 6 N D
REQUIRED_COLUMNS = ("params", "tokens", "loss")
OPTIONAL_COLUMNS = ("unique_tokens", "flops")
BOUND_SUFFIXES = ("_low", "_high")


@dataclass(frozen=True)
class Task:
    """Accuracy of each run on one downstream task, NaN where a run was not evaluated.

    `low_R` and `high_R` are the interval of each accuracy (columns TASK_low and TASK_high), NaN where absent.
    """

    accuracy_R: np.ndarray
    low_R: np.ndarray
    high_R: np.ndarray


@dataclass(frozen=True)
class Runs:
    """R completed runs: names, N (parameters), D (tokens seen), C (FLOPs), loss in nats per token, tasks."""

    model: tuple[str, ...]
    modality: tuple[str, ...]
    tokenizer: tuple[str, ...]
    params_R: np.ndarray
    tokens_R: np.ndarray
    unique_tokens_R: np.ndarray  # NaN where unknown
    flops_R: np.ndarray
    loss_R: np.ndarray
    tasks: dict[str, Task] = field(default_factory=dict)
    source: str = "table"
    run: tuple[str, ...] = ()  # which training run a row belongs to; empty when each row is a run of its own

    def __len__(self) -> int:
        return len(self.model)

    def select(self, keep: list[int]) -> "Runs":
        """The runs at these rows; a task no kept run was evaluated on disappears."""
        tasks = {
            name: Task(task.accuracy_R[keep], task.low_R[keep], task.high_R[keep])
            for name, task in self.tasks.items()
            if np.isfinite(task.accuracy_R[keep]).any()
        }
        return Runs(
            model=tuple(self.model[i] for i in keep),
            modality=tuple(self.modality[i] for i in keep),
            tokenizer=tuple(self.tokenizer[i] for i in keep),
            params_R=self.params_R[keep],
            tokens_R=self.tokens_R[keep],
            unique_tokens_R=self.unique_tokens_R[keep],
            flops_R=self.flops_R[keep],
            loss_R=self.loss_R[keep],
            tasks=tasks,
            source=self.source,
            run=tuple(self.run[i] for i in keep) if self.run else (),
        )

    def groups(self) -> dict[str, "Runs"]:
        """The runs by modality and tokenizer: losses over different vocabularies do not compare.

        A group is named by its modality, and by its tokenizer too where a modality has several.
        """
        kinds = list(dict.fromkeys(zip(self.modality, self.tokenizer, strict=True)))
        modalities = [modality for modality, _ in kinds]
        groups = {}
        for kind in kinds:
            modality, tokenizer = kind
            several = modalities.count(modality) > 1
            name = " ".join(part for part in (modality, tokenizer if several else "") if part) or "all"
            rows = [i for i, row in enumerate(zip(self.modality, self.tokenizer, strict=True)) if row == kind]
            groups[name] = self.select(rows)
        return groups


def read_runs(path: str | os.PathLike) -> Runs:
    """Reads a results.csv: one row a completed run.

    Columns: `params`, `tokens`, `loss` (nats per token) are required; `model`, `modality`, `tokenizer`,
    `run` (rows of one training run), `unique_tokens` and `flops` (6 N D where absent or empty) are optional.
    Any other column whose values all lie in [0, 1] is the accuracy of a task (empty: not evaluated), and
    TASK_low, TASK_high beside it are its interval. Further columns are ignored.

    Raises:
      InputError: naming file, row and column of what is missing, not a number, not positive or not finite.
    """
    path = pathlib.Path(path)
    rows, columns = _read_rows(path)
    for name in REQUIRED_COLUMNS:
        if name not in columns:
            raise InputError(f"{path}: column {name!r} is missing; the table needs params, tokens and loss")
    if len(rows) < 2:
        raise InputError(
            f"{path}: {len(rows)} row(s) under the header; a scaling law needs several runs, one row each"
        )
    text = {name: tuple((row.get(name) or "").strip() for row in rows) for name in TEXT_COLUMNS}
    numbers = {name: _positive_column(path, rows, name) for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)}
    computed_R = FLOPS_PER_PARAMETER_AND_TOKEN * numbers["params"] * numbers["tokens"]
    return Runs(
        model=tuple(name or f"run {i}" for i, name in enumerate(text["model"], start=1)),
        modality=text["modality"],
        tokenizer=text["tokenizer"],
        params_R=numbers["params"],
        tokens_R=numbers["tokens"],
        unique_tokens_R=numbers["unique_tokens"],
        flops_R=np.where(np.isnan(numbers["flops"]), computed_R, numbers["flops"]),
        loss_R=numbers["loss"],
        tasks=_tasks(rows, columns),
        source=path.name,
        run=tuple(name or f"row {i}" for i, name in enumerate(text["run"], start=1))
        if "run" in columns
        else (),
    )


def _read_rows(path: pathlib.Path) -> tuple[list[dict], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            columns = list(reader.fieldnames or [])
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file; give the results.csv of a study") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table in UTF-8 ({error})") from None
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"{path}: column {name!r} appears twice; rename one of them")
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise InputError(
                f"{path}, row {number}: the number of values differs from the header's {len(columns)} columns"
            )
    return rows, columns


def _positive_column(path: pathlib.Path, rows: list[dict], name: str) -> np.ndarray:
    """One number a row; NaN for the empty cells of an optional column."""
    values = []
    for number, row in enumerate(rows, start=1):
        cell = (row.get(name) or "").strip()
        if not cell and name in OPTIONAL_COLUMNS:
            values.append(math.nan)
            continue
        where = f"{path}, row {number} ({row.get('model') or 'no name'}), column {name!r}"
        if not cell:
            raise InputError(f"{where}: the value is missing; fill it in or drop the row")
        value = _number(cell)
        if value is None:
            raise InputError(f"{where}: {cell!r} is not a number")
        if not math.isfinite(value):
            raise InputError(f"{where}: {cell} is not finite; drop the row of a run that failed")
        if value <= 0:
            raise InputError(f"{where}: {cell} must be positive")
        values.append(value)
    return np.array(values)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _tasks(rows: list[dict], columns: list[str]) -> dict[str, Task]:
    known = {*TEXT_COLUMNS, *REQUIRED_COLUMNS, *OPTIONAL_COLUMNS}
    fractions = {}
    for name in columns:
        if name in known:
            continue
        cells = [row[name].strip() for row in rows]
        values = [_number(cell) if cell else math.nan for cell in cells]
        if any(cells) and all(value is not None and not (value < 0 or value > 1) for value in values):
            fractions[name] = np.array(values)
    unknown_R = np.full(len(rows), math.nan)
    return {
        name: Task(
            values_R, fractions.get(f"{name}_low", unknown_R), fractions.get(f"{name}_high", unknown_R)
        )
        for name, values_R in fractions.items()
        if not any(name.endswith(end) and name.removesuffix(end) in fractions for end in BOUND_SUFFIXES)
        and np.isfinite(values_R).any()
    }
