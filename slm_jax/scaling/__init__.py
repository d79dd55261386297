"""Scaling laws from a table of runs: fits with intervals, allocations, claims and figures.

Front door: `read_runs` (a results.csv), `fit` (the laws, as laws.json holds them), `format_summary` (text),
`write_figures`; then, of the laws, `predict` (loss and accuracy of a size and tokens), `allocate` (what a
budget is best spent on), `suggest` (the next run that teaches most). Beside them `optimum` (of a plain law by
hand) and `compute_budgets` (runs of equal compute). Works on tables alone and imports no other room.
"""

import importlib
from typing import TYPE_CHECKING

from slm_jax.scaling.table import Runs, Task, read_runs

if TYPE_CHECKING:
    from slm_jax.scaling.allocation import allocate
    from slm_jax.scaling.figures import write_figures
    from slm_jax.scaling.formatting import format_estimate, format_size, places_for_interval
    from slm_jax.scaling.frontier import optimum
    from slm_jax.scaling.isoflop import compute_budgets
    from slm_jax.scaling.laws import fit
    from slm_jax.scaling.next_run import suggest
    from slm_jax.scaling.prediction import predict
    from slm_jax.scaling.summary import format_summary

__all__ = [
    "Runs",
    "Task",
    "allocate",
    "compute_budgets",
    "fit",
    "format_estimate",
    "format_size",
    "format_summary",
    "optimum",
    "places_for_interval",
    "predict",
    "read_runs",
    "suggest",
    "write_figures",
]

_HOMES = {  # loaded when first used: jax, scipy and matplotlib take a second to import
    "allocate": "allocation",
    "compute_budgets": "isoflop",
    "fit": "laws",
    "format_estimate": "formatting",
    "format_size": "formatting",
    "format_summary": "summary",
    "optimum": "frontier",
    "places_for_interval": "formatting",
    "predict": "prediction",
    "suggest": "next_run",
    "write_figures": "figures",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
