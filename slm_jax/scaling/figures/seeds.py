"""Runs that repeat each other with another seed: pale points around their mean."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from slm_jax.scaling.figures.style import SizeColours
from slm_jax.scaling.repeats import cells, repeated
from slm_jax.scaling.table import Runs

SEED = {"linestyle": "", "marker": "o", "markersize": 3.5, "alpha": 0.45, "markeredgewidth": 0}


def draw_seeds(
    axes: Axes,
    runs: Runs,
    x: Callable[[Runs], np.ndarray],
    y: Callable[[Runs], np.ndarray],
    colours: SizeColours,
) -> list[Line2D]:
    """Draws every repeat where `x` and `y` place it, joined to its like; returns the legend handles."""
    runs = repeated(runs)
    x_R, y_R, cell_R = x(runs), y(runs), cells(runs)
    known_R = np.isfinite(x_R) & np.isfinite(y_R)
    for cell in np.unique(cell_R[known_R]):
        rows = np.flatnonzero((cell_R == cell) & known_R)
        rows = rows[np.argsort(y_R[rows])]
        colour = colours(runs.params_R[rows[0]])
        axes.plot(x_R[rows], y_R[rows], color=colour, linewidth=0.8, alpha=0.45)
        axes.plot(x_R[rows], y_R[rows], color=colour, **SEED)
    return [Line2D([], [], color="#666666", label="single seed", **SEED)] if known_R.any() else []
