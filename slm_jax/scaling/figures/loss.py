"""Figures of the loss: against compute, against size at fixed compute, and the fitted law's surface."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from slm_jax.scaling.envelope import Curves, envelope
from slm_jax.scaling.figures.style import (
    LINE_COLOURS,
    SizeColours,
    draw_law,
    legend,
    log_axis,
    new_figure,
    ring,
    spread,
)
from slm_jax.scaling.formatting import format_estimate
from slm_jax.scaling.forms import PLAIN, law_loss
from slm_jax.scaling.frontier import on_frontier
from slm_jax.scaling.isoflop import shared_budgets
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN, Runs

COMPUTE = "Training compute (FLOPs)"
LOSS = "Loss (nats per token)"
HELD_OUT_LOSS = "Held-out loss (nats per token)"
GREY = "#888888"
MOST_LEGEND_BUDGETS = 6
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
    for flops, loss, size in zip(runs.flops_R, runs.loss_R, runs.params_R, strict=True):
        axes.plot(flops, loss, "o", color=colours(size), zorder=3)
    front_R = on_frontier(runs.flops_R, runs.loss_R)
    handles.append(ring(axes, runs.flops_R[front_R], runs.loss_R[front_R]))
    most = group["flops"]["most"]
    if law:
        points = near(law["points"], most)
        handles.append(
            draw_law(
                axes, [p["flops"] for p in points], points, LINE_COLOURS[0], "power law of\nfrontier runs"
            )
        )
    if group["frontier"]:
        points = near(group["frontier"]["points"], most)
        losses = [{**p["loss"], "extrapolated": p["extrapolated"]} for p in points]
        handles.append(
            draw_law(axes, [p["flops"] for p in points], losses, LINE_COLOURS[1], "optimum of\nL(N, D)")
        )
    axes.set_xscale("log")
    _show_runs(axes, runs, curves)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", LOSS if curves else HELD_OUT_LOSS)
    legend(figure, handles, dashed=bool(law or group["frontier"]))
    return figure


def _show_runs(axes, runs: Runs, curves: Curves) -> None:
    """Keeps the first steps of training curves and wide bands from squeezing the runs."""
    axes.set_xlim(left=max(axes.get_xlim()[0], runs.flops_R.min() / 4))
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
    handles = []
    budgets = group["isoflop"]["budgets"]
    rows_of = shared_budgets(runs.params_R, runs.flops_R)
    for number, (budget, rows) in enumerate(zip(budgets, rows_of, strict=True)):
        grey = str(0.75 - 0.65 * (number + 1) / len(budgets))
        size_P = np.geomspace(runs.params_R[rows].min(), runs.params_R[rows].max(), 100)
        bowl = budget["parabola"]
        loss_P = np.exp(np.polyval(bowl["coefficients"], np.log(size_P) - bowl["center"]))
        axes.plot(size_P, loss_P, color=grey)
        if number in spread(len(budgets), MOST_LEGEND_BUDGETS):
            handles.append(Line2D([], [], color=grey, label=f"{budget['flops']:.2g} FLOPs"))
        for row in rows:
            axes.plot(runs.params_R[row], runs.loss_R[row], "o", color=colours(runs.params_R[row]), zorder=3)
        if budget["inside"]:
            axes.plot(
                budget["params"]["value"], budget["loss"]["value"], "D", color=LINE_COLOURS[1], zorder=4
            )
    if any(budget["inside"] for budget in budgets):
        handles.append(Line2D([], [], linestyle="", marker="D", color=LINE_COLOURS[1], label="minimum"))
    log_axis(axes, "x", "Parameters", "size")
    log_axis(axes, "y", HELD_OUT_LOSS)
    legend(figure, [*colours.legend_handles(runs.params_R), *handles])
    return figure


def draw_loss_law(runs: Runs, group: dict, colours: SizeColours) -> Figure:
    """The surface of L(N, D) over compute and size, with the runs and the compute-optimal size."""
    frontier = group["frontier"]
    law = {name: group["loss_law"][name]["value"] for name in PLAIN.symbols}
    figure, axes = new_figure(
        f"Compute-optimal size:  $N_{{opt}} \\propto C^a$, a = {format_estimate(frontier['a'])}"
    )
    points = near(frontier["points"], group["flops"]["most"])
    flops_P = np.array([point["flops"] for point in points])
    best_P = np.array([point["params"]["value"] for point in points])
    sizes = np.concatenate([runs.params_R, best_P])
    flops_X = np.geomspace(flops_P[0] / 1.5, flops_P[-1], 120)
    size_Y = np.geomspace(sizes.min() / 2, sizes.max() * 2, 120)
    tokens_YxX = flops_X / (FLOPS_PER_PARAMETER_AND_TOKEN * size_Y[:, None])
    loss_YxX = law_loss(law, size_Y[:, None], tokens_YxX)
    # Far from the frontier the law says nothing anybody asks for: the darkest shade stands for all of it.
    levels = MaxNLocator(12).tick_values(loss_YxX.min(), min(loss_YxX.max(), 1.2 * runs.loss_R.max()))
    shades = axes.contourf(flops_X, size_Y, loss_YxX, levels=levels, cmap="Greys", extend="max", alpha=0.6)
    bar = figure.colorbar(shades, ax=axes, label="Loss of the law (nats per token)", format="{x:.3g}")
    bar.ax.minorticks_off()
    for flops, size in zip(runs.flops_R, runs.params_R, strict=True):
        axes.plot(flops, size, "o", color=colours(size), markeredgecolor="white", markeredgewidth=0.7)
    sizes = [{**point["params"], "extrapolated": point["extrapolated"]} for point in points]
    handles = [
        *colours.legend_handles(runs.params_R),
        draw_law(axes, flops_P, sizes, LINE_COLOURS[1], "$N_{opt}$ of L(N, D)"),
    ]
    minima = [b for b in (group["isoflop"] or {"budgets": []})["budgets"] if b["inside"]]
    if minima:
        look = {"linestyle": "", "marker": "D", "color": LINE_COLOURS[2], "markersize": 6}
        axes.plot([b["flops"] for b in minima], [b["params"]["value"] for b in minima], **look)
        handles.append(Line2D([], [], label="isoFLOP minimum", **look))
    axes.set_xlim(flops_X[0], flops_X[-1])
    axes.set_ylim(size_Y[0], size_Y[-1])
    axes.grid(False)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", "Parameters", "size")
    legend(figure, handles, dashed=True)
    return figure
