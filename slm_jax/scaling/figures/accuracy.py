"""Figures of downstream accuracy: against loss, and against compute."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from slm_jax.scaling.figures.loss import COMPUTE, HELD_OUT_LOSS, near
from slm_jax.scaling.figures.style import (
    LINE_COLOURS,
    POINT_MARKERS,
    SizeColours,
    draw_law,
    legend,
    log_axis,
    new_figure,
    ring,
)
from slm_jax.scaling.formatting import format_estimate
from slm_jax.scaling.growth import frontier_runs
from slm_jax.scaling.table import Runs


def draw_loss_accuracy(runs: Runs, group: dict, task: str, colours: SizeColours) -> Figure:
    """Accuracy of every run against its loss, with the line and the correlation."""
    found = group["tasks"][task]
    figure, axes = new_figure(
        f"{_words(task)} against loss:  r = {format_estimate(found['correlation'])}, {found['runs']} runs"
    )
    _draw_runs(axes, runs, task, runs.loss_R, colours, POINT_MARKERS[0])
    points = found["line"]["points"]
    line = draw_law(axes, [p["loss"] for p in points], points, LINE_COLOURS[0], "least squares")
    axes.set_xlabel(HELD_OUT_LOSS)
    axes.set_ylabel(f"Accuracy, {_words(task)}")
    legend(figure, [*colours.legend_handles(runs.params_R), line])
    return figure


def draw_accuracy_compute(groups: dict[str, Runs], laws: dict, task: str, colours: SizeColours) -> Figure:
    """Accuracy against compute for all groups, with the power laws through the runs on their frontiers."""
    fitted = {name: laws["groups"][name]["tasks"].get(task) for name in groups}
    fitted = {name: found["compute"] for name, found in fitted.items() if found and found["compute"]}
    one = next(iter(fitted.values())) if len(fitted) == 1 else None
    title = f"{_words(task)} against compute" + (f":  γ = {format_estimate(one['exponent'])}" if one else "")
    figure, axes = new_figure(title)
    sizes = np.concatenate([groups[name].params_R for name in fitted])
    lines = []
    for number, name in enumerate(fitted):
        runs, group = groups[name], laws["groups"][name]
        marker = POINT_MARKERS[number % len(POINT_MARKERS)]
        _draw_runs(axes, runs, task, runs.flops_R, colours, marker)
        on_it = frontier_runs(runs, task)
        front = ring(axes, on_it.flops_R, on_it.tasks[task].accuracy_R, marker)
        points = near(fitted[name]["points"], group["flops"]["most"])
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        label = "power law of\nfrontier runs"
        if not one:
            lines.append(Line2D([], [], linestyle="", marker=marker, color="#444444", label=name))
            label = f"γ = {format_estimate(fitted[name]['exponent'])}"
        lines.append(draw_law(axes, [p["flops"] for p in points], points, colour, label))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 1e-3), high)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", f"Accuracy, {_words(task)}")
    legend(figure, [*colours.legend_handles(sizes), front, *lines], dashed=True)
    return figure


def _draw_runs(axes, runs: Runs, task: str, x_R: np.ndarray, colours: SizeColours, marker: str) -> None:
    """One point a run with the interval of its accuracy, coloured by size."""
    found = runs.tasks[task]
    for i in np.flatnonzero(np.isfinite(found.accuracy_R)):
        accuracy, low, high = found.accuracy_R[i], found.low_R[i], found.high_R[i]
        colour = colours(runs.params_R[i])
        if np.isfinite(low) and np.isfinite(high):
            axes.vlines(
                x_R[i], min(low, accuracy), max(high, accuracy), color=colour, linewidth=0.9, alpha=0.6
            )
        axes.plot(x_R[i], accuracy, marker, color=colour, zorder=3)


def _words(task: str) -> str:
    return task.replace("_", " ")
