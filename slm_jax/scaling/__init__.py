"""Scaling laws from a table of runs: fits with intervals, allocations, claims and figures.

Front door: `read_runs` (a results.csv), `fit` (the laws, as laws.json holds them), `format_summary` (text),
`write_figures`; then, of the laws, `predict` (loss and accuracy of a size and tokens), `allocate` (what a
budget is best spent on), `suggest` (the next run that teaches most). Beside them `optimum` (of a plain law by
hand), `write_contours` (runs on a given law) and `compute_budgets` (runs of equal compute). What others
published: `published_runs`, `published_table` and `PUBLISHED_TABLES`, `PUBLISHED_SPEECH_LAW`, and
`beside_paper` (their fit beside the paper's numbers); `merge_tables` puts several into one. Of claims about
two groups: `mean_difference` (of runs at equal compute) and `judge` (its verdict). Works on tables alone and
imports no other room.
"""

import importlib
from typing import TYPE_CHECKING

from slm_jax.scaling.columns import BOUND_SUFFIXES
from slm_jax.scaling.published import PUBLISHED_SPEECH_LAW, PUBLISHED_TABLES, published_runs, published_table
from slm_jax.scaling.table import MEASURED, NOT_TASKS, Runs, Task, read_runs

if TYPE_CHECKING:
    from slm_jax.scaling.allocation import allocate
    from slm_jax.scaling.equal_compute import mean_difference
    from slm_jax.scaling.figures import write_contours, write_figures
    from slm_jax.scaling.formatting import format_estimate, format_size, format_task, places_for_interval
    from slm_jax.scaling.frontier import optimum
    from slm_jax.scaling.isoflop import compute_budgets
    from slm_jax.scaling.laws import fit
    from slm_jax.scaling.merge import merge_tables
    from slm_jax.scaling.next_run import suggest
    from slm_jax.scaling.prediction import predict
    from slm_jax.scaling.published.beside import beside_paper
    from slm_jax.scaling.summary import format_summary
    from slm_jax.scaling.verdicts import CANNOT_TELL, NOT_SUPPORTED, SUPPORTED, judge

__all__ = [
    "BOUND_SUFFIXES",
    "CANNOT_TELL",
    "MEASURED",
    "NOT_SUPPORTED",
    "NOT_TASKS",
    "PUBLISHED_SPEECH_LAW",
    "PUBLISHED_TABLES",
    "SUPPORTED",
    "Runs",
    "Task",
    "allocate",
    "beside_paper",
    "compute_budgets",
    "fit",
    "format_estimate",
    "format_size",
    "format_summary",
    "format_task",
    "judge",
    "mean_difference",
    "merge_tables",
    "optimum",
    "places_for_interval",
    "predict",
    "published_runs",
    "published_table",
    "read_runs",
    "suggest",
    "write_contours",
    "write_figures",
]

_HOMES = {  # loaded when first used: jax, scipy and matplotlib take a second to import
    "CANNOT_TELL": "verdicts",
    "NOT_SUPPORTED": "verdicts",
    "SUPPORTED": "verdicts",
    "allocate": "allocation",
    "beside_paper": "published.beside",
    "compute_budgets": "isoflop",
    "fit": "laws",
    "format_estimate": "formatting",
    "format_size": "formatting",
    "format_summary": "summary",
    "format_task": "formatting",
    "judge": "verdicts",
    "mean_difference": "equal_compute",
    "merge_tables": "merge",
    "optimum": "frontier",
    "places_for_interval": "formatting",
    "predict": "prediction",
    "suggest": "next_run",
    "write_contours": "figures",
    "write_figures": "figures",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
