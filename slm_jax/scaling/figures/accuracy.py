"""Figures of downstream accuracy of one group of runs: against loss, and against compute."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from slm_jax.scaling.figures.loss import COMPUTE, HELD_OUT_LOSS, near
from slm_jax.scaling.figures.names import loss_label, task_title
from slm_jax.scaling.figures.seeds import draw_seeds
from slm_jax.scaling.figures.style import (
    LINE_COLOURS,
    SizeColours,
    draw_law,
    label_ends,
    legend,
    log_axis,
    new_figure,
    ring,
)
from slm_jax.scaling.formatting import format_estimate, format_task
from slm_jax.scaling.growth import frontier_runs
from slm_jax.scaling.repeats import average_repeats
from slm_jax.scaling.table import Runs


def draw_loss_accuracy(runs: Runs, group: dict, task: str, colours: SizeColours) -> Figure:
    """Accuracy of every run against its loss, with the line and the correlation."""
    found = group["tasks"][task]
    figure, axes = new_figure(
        f"{task_title(task)} against loss:  r = {format_estimate(found['correlation'])}, {found['runs']} runs"
    )
    seeds = _draw_runs(axes, runs, task, lambda runs: runs.loss_R, colours)
    points = found["line"]["points"]
    draw_law(axes, [p["loss"] for p in points], points, LINE_COLOURS[0])
    axes.set_xlabel(loss_label(runs.loss_source, HELD_OUT_LOSS))
    axes.set_ylabel(f"Accuracy, {format_task(task)}")
    legend(figure, colours.legend_handles(runs.params_R) + seeds)
    return figure


def draw_accuracy_compute(runs: Runs, group: dict, task: str, colours: SizeColours) -> Figure:
    """Accuracy against compute, with the power law through the runs on the frontier."""
    law = group["tasks"][task]["compute"]
    figure, axes = new_figure(f"{task_title(task)} against compute:  γ = {format_estimate(law['exponent'])}")
    seeds = _draw_runs(axes, runs, task, lambda runs: runs.flops_R, colours)
    on_it = frontier_runs(average_repeats(runs), task)
    front = ring(axes, on_it.flops_R, on_it.tasks[task].accuracy_R)
    points = near(law["points"], group["flops"]["most"])
    draw_law(axes, [p["flops"] for p in points], points, LINE_COLOURS[0])
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 1e-3), high)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", f"Accuracy, {format_task(task)}")
    axes.set_xlim(right=points[-1]["flops"])
    legend(figure, [*colours.legend_handles(runs.params_R), *seeds, front], dashed=True)
    figure.draw_without_rendering()
    label_ends(axes, [(points[-1]["flops"], points[-1]["value"], "power law", LINE_COLOURS[0])])
    return figure


def _draw_runs(axes, runs: Runs, task: str, x: Callable[[Runs], np.ndarray], colours: SizeColours) -> list:
    """One point a run with the interval of its accuracy, coloured by size; returns the handles of seeds."""
    seeds = draw_seeds(axes, runs, x(runs), runs.tasks[task].accuracy_R, colours)
    runs = average_repeats(runs)
    found, x_R = runs.tasks[task], x(runs)
    for i in np.flatnonzero(np.isfinite(found.accuracy_R) & np.isfinite(x_R)):
        accuracy, low, high = found.accuracy_R[i], found.low_R[i], found.high_R[i]
        colour = colours(runs.params_R[i])
        if np.isfinite(low) and np.isfinite(high):
            ends = min(low, accuracy), max(high, accuracy)
            axes.vlines(x_R[i], *ends, color=colour, linewidth=0.9, alpha=0.6)
        axes.plot(x_R[i], accuracy, "o", color=colour, zorder=3)
    return seeds
