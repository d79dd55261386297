"""Figures of the loss: against compute, and against size at fixed compute."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from slm_jax.scaling.envelope import Curves, envelope
from slm_jax.scaling.figures.seeds import draw_seeds
from slm_jax.scaling.figures.style import (
    LINE_COLOURS,
    SizeColours,
    draw_law,
    label_ends,
    legend,
    log_axis,
    new_figure,
    power_of_ten,
    ring,
    spread,
)
from slm_jax.scaling.formatting import format_estimate
from slm_jax.scaling.frontier import on_frontier
from slm_jax.scaling.isoflop import shared_budgets
from slm_jax.scaling.repeats import average_repeats
from slm_jax.scaling.table import Runs

COMPUTE = "Training compute (FLOPs)"
LOSS = "Loss (nats per token)"
HELD_OUT_LOSS = "Held-out loss (nats per token)"
GREY = "#888888"
MOST_LABELLED_BUDGETS = 8
REACH = 10.0001  # figures extrapolate one decade


def near(points: list[dict], most: float) -> list[dict]:
    """The points up to one decade beyond the table."""
    return [point for point in points if point["flops"] <= most * REACH]


def draw_loss_compute(runs: Runs, group: dict, colours: SizeColours, curves: Curves) -> Figure:
    """Loss against compute: curves of training loss and their envelope, held-out losses, and their laws."""
    law = group["compute_law"]
    title = "Loss against compute"
    if law:
        title += f":  $L \\propto C^k$, k = {format_estimate(law['exponent'])}"
    figure, axes = new_figure(title)
    axes.set_xscale("log")
    handles = colours.legend_handles(runs.params_R)
    handles.append(Line2D([], [], linestyle="", marker="o", color=GREY, label="held-out loss"))
    for flops_S, loss_S, params in curves.values():
        axes.plot(flops_S, loss_S, color=colours(params), linewidth=0.8, alpha=0.7)
    if curves:
        handles.append(Line2D([], [], color=GREY, linewidth=0.8, label="training loss"))
    lowest = envelope(curves)
    if lowest:
        axes.plot(lowest["flops_P"], lowest["loss_P"], color=GREY, linewidth=3, alpha=0.5)
        handles.append(Line2D([], [], color=GREY, linewidth=3, alpha=0.5, label="its envelope"))
    handles += draw_seeds(axes, runs, runs.flops_R, runs.loss_R, colours)
    runs = average_repeats(runs)
    for flops, loss, size in zip(runs.flops_R, runs.loss_R, runs.params_R, strict=True):
        axes.plot(flops, loss, "o", color=colours(size), zorder=3)
    front_R = on_frontier(runs.flops_R, runs.loss_R)
    handles.append(ring(axes, runs.flops_R[front_R], runs.loss_R[front_R]))
    most, ends = group["flops"]["most"], []
    if law:
        points = near(law["points"], most)
        draw_law(axes, [p["flops"] for p in points], points, LINE_COLOURS[0])
        ends.append((points[-1]["flops"], points[-1]["value"], "power law", LINE_COLOURS[0]))
    if group["frontier"]:
        points = near(group["frontier"]["points"], most)
        losses = [{**p["loss"], "extrapolated": p["extrapolated"]} for p in points]
        draw_law(axes, [p["flops"] for p in points], losses, LINE_COLOURS[1])
        ends.append((points[-1]["flops"], losses[-1]["value"], "best of L(N, D)", LINE_COLOURS[1]))
    _show_runs(axes, runs, curves)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", LOSS if curves else HELD_OUT_LOSS)
    legend(figure, handles, dashed=bool(ends))
    figure.draw_without_rendering()
    label_ends(axes, ends)
    return figure


def _show_runs(axes, runs: Runs, curves: Curves) -> None:
    """Keeps the first steps of training curves and wide bands from squeezing the runs."""
    if np.ptp(runs.flops_R) == 0:  # one budget has no range of its own
        axes.set_xlim(runs.flops_R[0] / 4, runs.flops_R[0] * 4)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, runs.flops_R.min() / 4), min(high, runs.flops_R.max() * REACH))
    low, high = axes.get_ylim()
    ends = [loss_S[-1] for _, loss_S, _ in curves.values()]
    top, bottom = max([*runs.loss_R, *ends]), min([*runs.loss_R, *ends])
    axes.set_ylim(max(low, 0.75 * bottom), min(high, 1.25 * top))


def draw_isoflop(runs: Runs, group: dict, colours: SizeColours) -> Figure:
    """Loss against size for each budget three sizes share, with its parabola and minimum."""
    exponent = group["isoflop"]["exponent"]
    title = "Loss at equal compute"
    if exponent:
        title += f":  $N_{{opt}} \\propto C^a$, a = {format_estimate(exponent)}"
    figure, axes = new_figure(title)
    seeds = draw_seeds(axes, runs, runs.params_R, runs.loss_R, colours)
    runs = average_repeats(runs)
    budgets, ends = group["isoflop"]["budgets"], []
    labelled = spread(len(budgets), MOST_LABELLED_BUDGETS)
    rows_of = shared_budgets(runs.params_R, runs.flops_R)
    for number, (budget, rows) in enumerate(zip(budgets, rows_of, strict=True)):
        grey = str(0.75 - 0.65 * (number + 1) / len(budgets))
        size_P = np.geomspace(runs.params_R[rows].min(), runs.params_R[rows].max(), 100)
        bowl = budget["parabola"]
        loss_P = np.exp(np.polyval(bowl["coefficients"], np.log(size_P) - bowl["center"]))
        axes.plot(size_P, loss_P, color=grey)
        if number in labelled:
            ends.append((size_P[-1], loss_P[-1], f"{power_of_ten(budget['flops'])} FLOPs", grey))
        for row in rows:
            axes.plot(runs.params_R[row], runs.loss_R[row], "o", color=colours(runs.params_R[row]), zorder=3)
        if budget["inside"]:
            axes.plot(
                budget["params"]["value"], budget["loss"]["value"], "D", color=LINE_COLOURS[1], zorder=4
            )
    log_axis(axes, "x", "Parameters", "size")
    log_axis(axes, "y", HELD_OUT_LOSS)
    handles = colours.legend_handles(runs.params_R) + seeds
    if any(budget["inside"] for budget in budgets):
        handles.append(Line2D([], [], linestyle="", marker="D", color=LINE_COLOURS[1], label="minimum"))
    legend(figure, handles)
    figure.draw_without_rendering()
    label_ends(axes, ends)
    return figure
