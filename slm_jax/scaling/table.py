"""The table the laws are fitted to: one row a completed training run."""

import dataclasses
import difflib
import os
import pathlib
from dataclasses import dataclass, field

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.columns import BOUND_SUFFIXES, Cells
from slm_jax.scaling.csv_table import read_rows
from slm_jax.scaling.units import check_units

GROUPING = ("modality", "tokenizer", "corpus")
TEXT_COLUMNS = ("model", "arm", *GROUPING, "run", "seed", "loss_source")
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0  # training compute C = 6 N D
REQUIRED_COLUMNS = ("params", "tokens")
OPTIONAL_COLUMNS = ("loss", "unique_tokens", "flops")
NEVER_A_TASK = ("loss_per_second", "epochs", "learning_rate", "lr", "dropout", "weight_decay")
NOT_TASKS = frozenset((*TEXT_COLUMNS, *REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *NEVER_A_TASK))
MEASURED = ("", "measured")


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
    loss_R: np.ndarray  # NaN where unknown
    tasks: dict[str, Task] = field(default_factory=dict)
    source: str = "table"
    run: tuple[str, ...] = ()  # which training run a row belongs to; empty when each row is a run of its own
    corpus: tuple[str, ...] = ()  # what the runs were trained on; empty when the table does not say
    loss_source: tuple[str, ...] = ()  # where each loss comes from; empty when all were measured
    arm: tuple[str, ...] = ()  # of a study; empty when the table does not say
    seed: tuple[str, ...] = ()  # runs that differ in nothing else repeat each other; empty as above
    notes: tuple[str, ...] = ()  # what the reader of the table left out or found odd

    def __len__(self) -> int:
        return len(self.model)

    @property
    def measured_R(self) -> np.ndarray:
        """Whether each loss was measured: known, and not computed from a law."""
        known_R = np.isfinite(self.loss_R)
        if not self.loss_source:
            return known_R
        return known_R & np.array([source in MEASURED for source in self.loss_source])

    def select(self, keep) -> "Runs":
        """The runs at these rows (numbers or a mask); a task no kept run was evaluated on disappears."""
        rows = np.arange(len(self))[np.asarray(keep)]
        kept = {}
        for column in dataclasses.fields(self):
            values = getattr(self, column.name)
            if isinstance(values, np.ndarray):
                kept[column.name] = values[rows]
            elif isinstance(values, tuple) and values and column.name != "notes":
                kept[column.name] = tuple(values[i] for i in rows)
        tasks = {
            name: Task(task.accuracy_R[rows], task.low_R[rows], task.high_R[rows])
            for name, task in self.tasks.items()
            if np.isfinite(task.accuracy_R[rows]).any()
        }
        return dataclasses.replace(self, **kept, tasks=tasks)

    def groups(self) -> dict[str, "Runs"]:
        """The runs by arm, or by modality where they have none, by tokenizer and by corpus.

        Losses over different vocabularies do not compare. A group is named by its arm or modality, and by its
        tokenizer and corpus too where those tell groups apart.
        """
        arms_R = self.arm or ("",) * len(self)
        heads_R = [arm or modality for arm, modality in zip(arms_R, self.modality, strict=True)]
        kinds_R = list(zip(heads_R, self.tokenizer, self.corpus or heads_R, strict=True))
        kinds = list(dict.fromkeys(kinds_R))
        groups = {}
        for kind in kinds:
            alike = [other for other in kinds if other[0] == kind[0]]
            name = " ".join(
                part
                for place, part in enumerate(kind)
                if part and (place == 0 or len({other[place] for other in alike}) > 1)
            )
            groups[name or "all"] = self.select([row == kind for row in kinds_R])
        return groups


def read_runs(path: str | os.PathLike) -> Runs:
    """Reads a results.csv: one row a completed run.

    Columns: `params` and `tokens` are required; `loss` (nats per token) is too where no column holds
    accuracies, and its cells may be empty where there are some; `loss_source` says of losses that were not
    measured where they come from. `model`, `arm`, `modality`, `tokenizer`, `corpus`, `run` (rows of one
    training run), `seed`, `unique_tokens` and `flops` (6 N D where absent or empty) are optional. Any other
    column whose values all lie in [0, 1] is the accuracy of a task (empty: not evaluated), and TASK_low,
    TASK_high beside it are its interval. Further columns are ignored; those that look like accuracies in
    percent leave a note.

    Raises:
      InputError: naming file, row, column and fix of what is missing, not a number, not positive, not finite,
        off by a unit (millions, say), not between 0 and 1 in a column that promises accuracies, or there
        twice.
    """
    path = pathlib.Path(path)
    rows, columns = read_rows(path)
    cells = Cells(path, rows, columns)
    _check_columns(path, columns)
    if len(rows) < 2:
        raise InputError(
            f"{path}: {len(rows)} row(s) under the header; a scaling law needs several runs, one row each"
        )
    _check_repeats(cells)
    text = {name: cells.text(name) for name in TEXT_COLUMNS}
    numbers = {name: cells.positive(name, required=True) for name in REQUIRED_COLUMNS}
    empty = "; leave the cell empty where no loss was measured"
    numbers |= {
        name: cells.positive(name, required=False, if_failed=empty if name == "loss" else "")
        for name in OPTIONAL_COLUMNS
    }
    computed_R = FLOPS_PER_PARAMETER_AND_TOKEN * numbers["params"] * numbers["tokens"]
    counts = {name: numbers[name] for name in ("params", "tokens", "unique_tokens")}
    check_units(cells, counts, numbers["flops"], computed_R)
    tasks, notes = _tasks(cells)
    if not tasks and not np.isfinite(numbers["loss"]).all():
        number = int(np.flatnonzero(np.isnan(numbers["loss"]))[0]) + 1
        if "loss" not in columns:
            raise InputError(f"{path}: column 'loss' is missing, and no other column holds accuracies")
        raise InputError(f"{cells.where(number, 'loss')}: the value is missing; fill it in or drop the row")
    return Runs(
        model=tuple(name or f"run {i}" for i, name in enumerate(text["model"], start=1)),
        modality=text["modality"],
        tokenizer=text["tokenizer"],
        params_R=numbers["params"],
        tokens_R=numbers["tokens"],
        unique_tokens_R=numbers["unique_tokens"],
        flops_R=np.where(np.isnan(numbers["flops"]), computed_R, numbers["flops"]),
        loss_R=numbers["loss"],
        tasks=tasks,
        source=path.name,
        run=tuple(name or f"row {i}" for i, name in enumerate(text["run"], start=1))
        if "run" in columns
        else (),
        corpus=text["corpus"] if "corpus" in columns else (),
        loss_source=text["loss_source"] if "loss_source" in columns else (),
        arm=text["arm"] if "arm" in columns else (),
        seed=text["seed"] if "seed" in columns else (),
        notes=notes,
    )


def _check_columns(path: pathlib.Path, columns: list[str]) -> None:
    for name in REQUIRED_COLUMNS:
        if name not in columns:
            lower = {column.lower(): column for column in columns}
            near = difflib.get_close_matches(name, lower, n=1, cutoff=0.6)
            hint = f"; rename {lower[near[0]]!r} if that is it" if near else ""
            raise InputError(
                f"{path}: column {name!r} is missing; the table needs params, tokens and loss{hint}"
            )


def _check_repeats(cells: Cells) -> None:
    seen = {}
    for number, row in enumerate(cells.rows, start=1):
        key = tuple(row.values())
        if key in seen:
            name = row.get("model") or "no name"
            raise InputError(
                f"{cells.source}, row {number} ({name}): repeats row {seen[key]} in every column; "
                "drop one, or add a column that tells the runs apart (seed)"
            )
        seen[key] = number


def _tasks(cells: Cells) -> tuple[dict[str, Task], tuple[str, ...]]:
    fractions, notes = {}, []
    for name in cells.columns:
        if name in NOT_TASKS:
            continue
        if cells.promises_fractions(name) or cells.holds_fractions(name):
            fractions[name] = cells.fractions(name)
        elif number := cells.like_percent(name):
            notes.append(
                f"Column {name!r} was left out: row {number} holds {cells.rows[number - 1][name]}, and an "
                "accuracy lies between 0 and 1; divide it by 100 if it is one in percent."
            )
    unknown_R = np.full(len(cells.rows), np.nan)
    tasks = {
        name: Task(
            values_R, fractions.get(f"{name}_low", unknown_R), fractions.get(f"{name}_high", unknown_R)
        )
        for name, values_R in fractions.items()
        if not any(name.endswith(end) and name.removesuffix(end) in fractions for end in BOUND_SUFFIXES)
        and np.isfinite(values_R).any()
    }
    return tasks, tuple(notes)
