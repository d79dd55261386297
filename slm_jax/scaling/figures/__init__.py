"""Figures of a study's laws, as PDF, SVG and PNG."""

import os
import pathlib
import re
from collections.abc import Sequence

import matplotlib
import numpy as np

from slm_jax.files import read_json, write_json
from slm_jax.scaling.envelope import Curves
from slm_jax.scaling.figures.accuracy import draw_accuracy_compute, draw_loss_accuracy
from slm_jax.scaling.figures.contours import draw_contours
from slm_jax.scaling.figures.equal_compute import draw_equal_compute
from slm_jax.scaling.figures.groups import draw_groups
from slm_jax.scaling.figures.loss import draw_isoflop, draw_loss_compute
from slm_jax.scaling.figures.style import FORMATS, SETTINGS, SizeColours, write_figure
from slm_jax.scaling.forms import PLAIN
from slm_jax.scaling.frontier import allocation_exponents, optimum
from slm_jax.scaling.repeats import average_curves, average_repeats
from slm_jax.scaling.table import Runs

LIST = "figures.json"


def write_figures(
    runs: Runs,
    laws: dict,
    out_dir: str | os.PathLike,
    curves: Curves | None = None,
    claims: Sequence[dict] = (),
) -> dict[str, pathlib.Path]:
    """Draws every figure the laws support and writes NAME.pdf, NAME.svg and NAME.png (200 dpi).

    figures.json lists them: what an earlier call wrote into the folder and this one does not is removed.

    Args:
      runs, laws: the table and what `fit` made of it.
      out_dir: created if need be.
      curves: optional training curves, model name -> (flops_S, loss_S, params).
      claims: about two groups at equal compute, each with its name and what `draw_equal_compute` needs.

    Returns:
      name -> path of the PNG, in reading order: loss_compute, isoflop, loss_law, then for each task
      loss_accuracy_TASK and accuracy_compute_TASK. With several groups each has the name of its group at the
      end, and groups_TASK shows those that share a task side by side. Last equal_compute_NAME, for each claim
      that has matched runs.
    """
    folder = pathlib.Path(out_dir)
    colours = SizeColours(runs.params_R)
    groups = runs.groups()
    written = {}

    def write(name: str, figure) -> None:
        name = re.sub(r"[^\w.-]+", "-", name)
        written[name] = write_figure(figure, folder, name)

    with matplotlib.rc_context(SETTINGS):
        for name, members in groups.items():
            group = laws["groups"][name]
            end = f"_{name}" if len(groups) > 1 else ""
            own = average_curves(curves or {}, members)
            measured = members.select(members.measured_R)
            if len(measured):
                write(f"loss_compute{end}", draw_loss_compute(measured, group, colours, own))
            if group["isoflop"]:
                write(f"isoflop{end}", draw_isoflop(measured, group, colours))
            if group["loss_law"]:
                write(f"loss_law{end}", _contours(average_repeats(measured), group))
            for task, found in group["tasks"].items():
                if found and found["correlation"]:
                    write(f"loss_accuracy_{task}{end}", draw_loss_accuracy(members, group, task, colours))
                if found and found["compute"]:
                    figure = draw_accuracy_compute(members, group, task, colours)
                    write(f"accuracy_compute_{task}{end}", figure)
        for task in dict.fromkeys(row["task"] for row in laws["comparisons"]):
            write(f"groups_{task}", draw_groups(groups, laws, task))
        for claim in claims:
            if claim["cells"]:
                write(f"equal_compute_{claim['name']}", draw_equal_compute(claim))
    _remove_stale(folder, set(written))
    write_json(folder / LIST, list(written))
    return written


def write_contours(
    runs: Runs, law: dict[str, float], out_dir: str | os.PathLike, name: str, source: str
) -> pathlib.Path:
    """Draws runs on the contours of a given law (E, A, B, alpha, beta), with the best size for each compute.

    Writes NAME.pdf, NAME.svg and NAME.png; returns the path of the PNG. `source`: whose law it is.
    """
    flops_P = np.geomspace(runs.flops_R.min(), runs.flops_R.max() * 10, 33)
    most = float(runs.flops_R.max()) * (1 + 1e-9)
    points = [
        {"flops": float(flops), "extrapolated": bool(flops > most), "params": _given(size)}
        for flops, size in zip(flops_P, optimum(law, flops_P)[0], strict=True)
    ]
    with matplotlib.rc_context(SETTINGS):
        a = _given(allocation_exponents(law)[0])
        return write_figure(draw_contours(runs, law, a, points, source=source), pathlib.Path(out_dir), name)


def _given(number: float) -> dict:
    return {"value": float(number), "low": None, "high": None}


def _contours(runs: Runs, group: dict):
    law = {symbol: group["loss_law"][symbol]["value"] for symbol in PLAIN.symbols}
    budgets = group["isoflop"]["budgets"] if group["isoflop"] else []
    minima = [budget for budget in budgets if budget["inside"]]
    return draw_contours(runs, law, group["frontier"]["a"], group["frontier"]["points"], minima)


def _remove_stale(folder: pathlib.Path, current: set[str]) -> None:
    """Removes the figures of an earlier fit: they would be read as those of this one."""
    if not (folder / LIST).exists():
        return
    stale = set(read_json(folder / LIST)) - current
    for path in folder.iterdir():
        if path.stem in stale and path.suffix in FORMATS:
            path.unlink()
