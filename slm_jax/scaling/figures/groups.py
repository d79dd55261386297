"""Groups of runs side by side: accuracy over compute, and where one would reach the other."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from slm_jax.scaling.figures.loss import COMPUTE, near
from slm_jax.scaling.figures.names import task_title
from slm_jax.scaling.figures.style import (
    EXTRAPOLATED,
    LINE_COLOURS,
    POINT_MARKERS,
    draw_law,
    label_ends,
    log_axis,
    new_figure,
)
from slm_jax.scaling.formatting import format_estimate, format_task
from slm_jax.scaling.growth import frontier_runs
from slm_jax.scaling.repeats import average_repeats
from slm_jax.scaling.table import Runs

GROUP_COLOURS = (*LINE_COLOURS[1:], LINE_COLOURS[0], "#CC79A7", "#E69F00", "#56B4E9")
CONTINUED = (0, (1, 1.5))
FARTHEST = 30.0  # powers of ten of FLOPs: beyond, a crossing is only told


def draw_groups(groups: dict[str, Runs], laws: dict, task: str) -> Figure:
    """Accuracy against compute of all groups, their power laws, and the extrapolated crossing.

    Solid points lie on the frontier of their group. Dotted: the slower group's power law, continued as if it
    did not saturate, to the best accuracy of the faster.
    """
    groups = {name: average_repeats(runs) for name, runs in groups.items()}
    fitted = {name: laws["groups"][name]["tasks"].get(task) for name in groups}
    fitted = {name: found["compute"] for name, found in fitted.items() if found and found["compute"]}
    rows = [row for row in laws["comparisons"] if row["task"] == task]
    title = f"{task_title(task)} against compute"
    if len(rows) == 1:
        ratio = format_estimate(rows[0]["gamma_ratio"], beside=1.0)
        faster, slower = (rows[0][name].replace("_", " ") for name in ("faster", "slower"))
        title += f":  γ of {faster} / γ of {slower} = {ratio}"
    figure, axes = new_figure(title)
    colours = {name: GROUP_COLOURS[i % len(GROUP_COLOURS)] for i, name in enumerate(fitted)}
    markers = {name: POINT_MARKERS[i % len(POINT_MARKERS)] for i, name in enumerate(fitted)}
    ends = []
    for name, law in fitted.items():
        runs = groups[name]
        look = {"linestyle": "", "marker": markers[name], "color": colours[name]}
        axes.plot(runs.flops_R, runs.tasks[task].accuracy_R, alpha=0.25, markeredgewidth=0, **look)
        on_it = frontier_runs(runs, task)
        axes.plot(on_it.flops_R, on_it.tasks[task].accuracy_R, zorder=3, **look)
        points = near(law["points"], laws["groups"][name]["flops"]["most"])
        draw_law(axes, [p["flops"] for p in points], points, colours[name])
        end = points[-1]
        told = f"{name.replace('_', ' ')}\nγ = {format_estimate(law['exponent'])}"
        ends.append((end["flops"], end["value"], told, name))
    crossing = _crossing(rows)
    axes.set_xscale("log")
    if crossing:
        _draw_crossing(axes, crossing, fitted[crossing["slower"]], colours)
    _show_points(axes, groups, fitted, task)
    log_axis(axes, "x", COMPUTE, "power")
    log_axis(axes, "y", f"Accuracy, {format_task(task)}")
    handles = [
        Line2D([], [], linestyle="", marker="o", color="#666666", label="on the frontier"),
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            color="#666666",
            alpha=0.25,
            markeredgewidth=0,
            label="other run",
        ),
        Line2D([], [], color="#666666", linestyle=EXTRAPOLATED, label="extrapolated"),
    ]
    if crossing:
        handles.append(Line2D([], [], color="#666666", linestyle=CONTINUED, label="were it not to saturate"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    if len(fitted) > 2:
        figure.draw_without_rendering()
        label_ends(axes, [(x, y, text, colours[name]) for x, y, text, name in ends])
        return figure
    for x, y, text, name in ends:
        above = crossing is None or name != crossing["slower"]
        place = (
            {"xytext": (0, 8), "ha": "right", "va": "bottom"} if above else {"xytext": (6, 0), "va": "center"}
        )
        axes.annotate(text, (x, y), textcoords="offset points", color=colours[name], **place)
    return figure


def _crossing(rows: list[dict]) -> dict | None:
    """Where the slower of two groups would reach the best accuracy of the faster, if that can be shown."""
    if len(rows) != 1:
        return None
    (row,) = rows
    level = next(level for level in row["levels"] if level["best_of"] == row["faster"])
    place = level["log10_flops"][row["slower"]]
    if row["slower"] not in level["extrapolated"] or place["value"] > FARTHEST:
        return None
    return {
        "slower": row["slower"],
        "faster": row["faster"],
        "accuracy": level["accuracy"],
        "log10_flops": place,
    }


def _draw_crossing(axes, crossing: dict, law: dict, colours: dict) -> None:
    place, level = crossing["log10_flops"], crossing["accuracy"]
    colour = colours[crossing["slower"]]
    start = law["saturation"]["flops"]["value"] if law["saturation"] else law["points"][0]["flops"]
    flops_P = np.geomspace(start, 10 ** place["value"], 2)
    accuracy_P = law["scale"]["value"] * (flops_P / law["reference"]) ** law["exponent"]["value"]
    axes.plot(flops_P, accuracy_P, color=colour, linestyle=CONTINUED)
    axes.plot(10 ** place["value"], level, "X", color=colour, markersize=8, zorder=4, markeredgecolor="white")
    if place["low"] is not None:
        high = min(place["high"], FARTHEST)
        axes.hlines(level, 10 ** place["low"], 10**high, color=colour, linewidth=1, alpha=0.6)
    told = f"{crossing['slower']} reaches the best {crossing['faster']} run\n".replace("_", " ")
    told += f"at {_told(place)} FLOPs,\nextrapolated"
    axes.annotate(
        told,
        (10 ** place["value"], level),
        xytext=(0, 8),
        textcoords="offset points",
        color=colour,
        ha="center",
    )


def _told(place: dict) -> str:
    value = f"$10^{{{place['value']:.1f}}}$"
    if place["low"] is None:
        return value
    return f"{value} [$10^{{{place['low']:.1f}}}$, $10^{{{place['high']:.1f}}}$]"


def _show_points(axes, groups: dict[str, Runs], fitted: dict, task: str) -> None:
    """Keeps wide bands from squeezing the runs."""
    accuracies = np.concatenate([groups[name].tasks[task].accuracy_R for name in fitted])
    low, high = np.nanmin(accuracies), np.nanmax(accuracies)
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, 0.94 * low, 1e-3), min(max(top, 1.1 * high), 1.17 * high, 1.0))
