"""Runs that repeat each other with another seed, as one: their mean is what a law goes through.

Seeds average out a run's luck, but not how far a law misses that size and those tokens: taken for
independent runs they would narrow every interval, even were they copies of one another. So one size with one
amount of data counts as one run, however often it was made: to resample means is to resample runs with all
their repeats.
"""

import dataclasses

import numpy as np

from slm_jax.scaling.envelope import Curves
from slm_jax.scaling.table import Runs, Task


def cells(runs: Runs) -> np.ndarray:
    """cell_R: equal numbers, in order of appearance, for runs that differ in nothing but a given seed."""
    columns = [runs.params_R, runs.tokens_R, np.nan_to_num(runs.unique_tokens_R)]
    columns += [text or ("",) * len(runs) for text in (runs.modality, runs.tokenizer, runs.corpus, runs.arm)]
    columns += [runs.loss_source or ("",) * len(runs)]
    seed_R = runs.seed or ("",) * len(runs)
    known: dict[tuple, int] = {}
    return np.array(
        [
            known.setdefault(key if seed else (*key, row), len(known))
            for row, (seed, *key) in enumerate(zip(seed_R, *columns, strict=True))
            for key in [tuple(key)]
        ],
        dtype=int,
    )


def average_repeats(runs: Runs) -> Runs:
    """One row for each cell, named as its first run; the runs as they are where nothing repeats.

    Losses have their geometric mean, as laws are fitted to their logarithms; accuracies and the ends of their
    intervals the plain one, the questions being the same. A run without a number does not count in its mean.
    """
    cell_R = cells(runs)
    if len(np.unique(cell_R)) == len(runs):
        return runs
    _, first_C = np.unique(cell_R, return_index=True)
    tasks = {
        name: Task(*(_means(column_R, cell_R) for column_R in dataclasses.astuple(task)))
        for name, task in runs.tasks.items()
    }
    return dataclasses.replace(
        runs.select(first_C),
        flops_R=_means(runs.flops_R, cell_R),
        loss_R=np.exp(_means(np.log(runs.loss_R), cell_R)),
        tasks=tasks,
        seed=(),
    )


def average_curves(curves: Curves, runs: Runs) -> Curves:
    """Training curves of repeats as their mean, by the name of the first, at the compute of its steps."""
    members: dict[int, list[str]] = {}
    for cell, name in zip(cells(runs), runs.model, strict=True):
        if name in curves:
            members.setdefault(int(cell), []).append(name)
    averaged = {}
    for first, *others in members.values():
        flops_S, loss_S, params = curves[first]
        log_c_S = np.log(flops_S)
        losses = [np.interp(log_c_S, np.log(curves[name][0]), curves[name][1]) for name in others]
        averaged[first] = flops_S, np.mean([loss_S, *losses], axis=0), params
    return averaged


def _means(column_R: np.ndarray, cell_R: np.ndarray) -> np.ndarray:
    """The mean of each cell's numbers; NaN where it has none."""
    known_R = np.isfinite(column_R)
    total_C = np.bincount(cell_R, np.where(known_R, column_R, 0.0))
    with np.errstate(invalid="ignore"):
        return total_C / np.bincount(cell_R, known_R)
