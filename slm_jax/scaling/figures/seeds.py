"""Runs that repeat each other with another seed: pale points around their mean."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from slm_jax.scaling.figures.style import SizeColours
from slm_jax.scaling.repeats import cells
from slm_jax.scaling.table import Runs

SEED = {"linestyle": "", "marker": "o", "markersize": 3.5, "alpha": 0.45, "markeredgewidth": 0}


def draw_seeds(
    axes: Axes, runs: Runs, x_R: np.ndarray, y_R: np.ndarray, colours: SizeColours
) -> list[Line2D]:
    """Draws the runs of which there are several, each joined to its like; returns the legend handles."""
    cell_R = cells(runs)
    drawn_R = (np.bincount(cell_R)[cell_R] > 1) & np.isfinite(x_R) & np.isfinite(y_R)
    for cell in np.unique(cell_R[drawn_R]):
        rows = np.flatnonzero((cell_R == cell) & drawn_R)
        rows = rows[np.argsort(y_R[rows])]
        colour = colours(runs.params_R[rows[0]])
        axes.plot(x_R[rows], y_R[rows], color=colour, linewidth=0.8, alpha=0.45)
        axes.plot(x_R[rows], y_R[rows], color=colour, **SEED)
    return [Line2D([], [], color="#666666", label="single seed", **SEED)] if drawn_R.any() else []
