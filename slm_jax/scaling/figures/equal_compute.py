"""Two groups at equal compute: what matched runs of either reached, size by size."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from slm_jax.scaling.figures.loss import COMPUTE
from slm_jax.scaling.figures.names import task_title
from slm_jax.scaling.figures.seeds import SEED
from slm_jax.scaling.figures.style import LINE_COLOURS, POINT_MARKERS, legend, new_figure, power_of_ten
from slm_jax.scaling.formatting import format_task

COLOURS = LINE_COLOURS[1:3]
REACH = 1.5  # beyond the budgets, as a factor
LOSSES = {"loss": "Loss (nats per token)", "loss_per_second": "Loss (nats per second)"}


def draw_equal_compute(claim: dict) -> Figure:
    """Accuracy or loss of both groups of a claim against compute: a line a size, through the means of seeds.

    `claim` has arms [one, other], measure, and cells {size, budget, seed, better, other}, of which `better`
    is the number of the first.
    """
    one, other = (name.replace("_", " ") for name in claim["arms"])
    measure = claim["measure"]
    title = "Loss" if measure in LOSSES else task_title(measure)
    figure, axes = new_figure(f"{title} at equal compute:  {one} and {other}")
    sizes = list(dict.fromkeys(cell["size"] for cell in claim["cells"]))
    markers = {size: POINT_MARKERS[i % len(POINT_MARKERS)] for i, size in enumerate(sizes)}
    axes.set_xscale("log")
    seeds = False
    for size in sizes:
        cells = [cell for cell in claim["cells"] if cell["size"] == size]
        budgets = sorted({cell["budget"] for cell in cells})
        for side, colour in zip(("better", "other"), COLOURS, strict=True):
            values = [[cell[side] for cell in cells if cell["budget"] == budget] for budget in budgets]
            for budget, of_seeds in zip(budgets, values, strict=True):
                if len(of_seeds) > 1:
                    axes.plot([budget] * len(of_seeds), of_seeds, color=colour, linewidth=0.8, alpha=0.45)
                    axes.plot([budget] * len(of_seeds), of_seeds, color=colour, **SEED)
                    seeds = True
            means = [np.mean(of_seeds) for of_seeds in values]
            axes.plot(budgets, means, color=colour, marker=markers[size], linewidth=1.2, zorder=3)
    budgets = sorted({cell["budget"] for cell in claim["cells"]})
    axes.set_xlim(budgets[0] / REACH, budgets[-1] * REACH)
    axes.set_xlabel(COMPUTE)
    axes.set_xticks(budgets, [power_of_ten(budget) for budget in budgets])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(LOSSES.get(measure, f"Accuracy, {format_task(measure)}"))
    handles = [Line2D([], [], color=c, label=name) for c, name in zip(COLOURS, (one, other), strict=True)]
    handles += [
        Line2D([], [], linestyle="", marker=marker, color="#666666", label=size)
        for size, marker in markers.items()
    ]
    if seeds:
        handles.append(Line2D([], [], color="#666666", label="single seed", **SEED))
    legend(figure, handles)
    return figure
