"""The surface of a loss law over compute and size, with the efficient frontier and the runs."""

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from slm_jax.scaling.figures.loss import COMPUTE, near
from slm_jax.scaling.figures.style import LINE_COLOURS, draw_law, label_ends, legend, log_axis, new_figure
from slm_jax.scaling.formatting import format_estimate
from slm_jax.scaling.forms import law_loss
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN, Runs

LEVELS = 10
RUN = {"linestyle": "", "marker": "o", "color": "#222222", "markeredgecolor": "white", "markeredgewidth": 0.7}
MINIMUM = {"linestyle": "", "marker": "D", "color": LINE_COLOURS[2], "markersize": 6}


def draw_contours(
    runs: Runs, law: dict, a: dict, points: list[dict], minima: list[dict] = (), source: str = ""
) -> Figure:
    """Contours of L(N, D) in nats per token, the runs, and the size that is best for each compute.

    Args:
      law: E, A, B, alpha, beta as numbers; a: the estimate of the exponent of N_opt.
      points: of the frontier, {flops, extrapolated, params: estimate}; minima: of isoFLOP curves, with flops
        and params; source: whose law it is, when not that of these runs.
    """
    title = f"Compute-optimal size:  $N_{{opt}} \\propto C^a$, a = {format_estimate(a)}"
    if source:
        title = f"{source[:1].upper()}{source[1:]}:  $N_{{opt}} \\propto C^a$, a = {a['value']:.2f}"
    figure, axes = new_figure(title)
    points = near(points, float(runs.flops_R.max()))
    flops_P = np.array([point["flops"] for point in points])
    best_P = np.array([point["params"]["value"] for point in points])
    sizes = np.concatenate([runs.params_R, best_P])
    flops_X = np.geomspace(min(flops_P[0], runs.flops_R.min()) / 1.5, flops_P[-1], 160)
    size_Y = np.geomspace(sizes.min() / 2, sizes.max() * 2, 160)
    loss_YxX = law_loss(law, size_Y[:, None], flops_X / (FLOPS_PER_PARAMETER_AND_TOKEN * size_Y[:, None]))
    # Far from the frontier the law says nothing anybody asks for: the darkest shade stands for all of it.
    measured = law_loss(law, runs.params_R, runs.tokens_R).max()
    levels = MaxNLocator(LEVELS).tick_values(loss_YxX.min(), min(loss_YxX.max(), 1.1 * measured))
    axes.contourf(flops_X, size_Y, loss_YxX, levels=levels, cmap="Greys", extend="max", alpha=0.45)
    lines = axes.contour(flops_X, size_Y, loss_YxX, levels=levels, colors="#777777", linewidths=0.6)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", "Parameters", "size")
    for text in axes.clabel(lines, fontsize=7, fmt="{:.3g}".format, colors="#333333"):
        text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="white", alpha=0.7)])
    axes.plot(runs.flops_R, runs.params_R, **RUN)
    frontier = [{**point["params"], "extrapolated": point["extrapolated"]} for point in points]
    draw_law(axes, flops_P, frontier, LINE_COLOURS[1])
    handles = [Line2D([], [], label="run", **RUN)]
    if minima:
        axes.plot([b["flops"] for b in minima], [b["params"]["value"] for b in minima], **MINIMUM)
        handles.append(Line2D([], [], label="isoFLOP minimum", **MINIMUM))
    handles.append(Line2D([], [], color="#777777", linewidth=0.6, label="equal loss\n(nats per token)"))
    axes.set_xlim(flops_X[0], flops_X[-1])
    axes.set_ylim(size_Y[0], size_Y[-1])
    axes.grid(False)
    legend(figure, handles, dashed=any(point["extrapolated"] for point in points))
    figure.draw_without_rendering()
    label_ends(axes, [(flops_P[-1], best_P[-1], "efficient\nfrontier", LINE_COLOURS[1])])
    return figure
