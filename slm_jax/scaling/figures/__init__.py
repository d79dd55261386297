"""Figures of a study's laws, as PNG and SVG."""

import os
import pathlib
import re

import matplotlib

from slm_jax.files import read_json, write_json
from slm_jax.scaling.envelope import Curves
from slm_jax.scaling.figures.accuracy import draw_accuracy_compute, draw_loss_accuracy
from slm_jax.scaling.figures.loss import draw_isoflop, draw_loss_compute, draw_loss_law
from slm_jax.scaling.figures.style import SETTINGS, SizeColours, write_figure
from slm_jax.scaling.table import Runs

LIST = "figures.json"


def write_figures(
    runs: Runs, laws: dict, out_dir: str | os.PathLike, curves: Curves | None = None
) -> dict[str, pathlib.Path]:
    """Draws every figure the laws support and writes NAME.png (200 dpi) and NAME.svg.

    figures.json lists them: what an earlier call wrote into the folder and this one does not is removed.

    Args:
      runs, laws: the table and what `fit` made of it.
      out_dir: created if need be.
      curves: optional training curves, model name -> (flops_S, loss_S, params).

    Returns:
      name -> path of the PNG, in reading order: loss_compute, isoflop, loss_law, then for each task
      loss_accuracy_TASK and accuracy_compute_TASK. With several groups, all but the last have the name of
      their group at the end.
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
            own = {model: curve for model, curve in (curves or {}).items() if model in members.model}
            measured = members.select(members.measured_R)
            if len(measured):
                write(f"loss_compute{end}", draw_loss_compute(measured, group, colours, own))
            if group["isoflop"]:
                write(f"isoflop{end}", draw_isoflop(measured, group, colours))
            if group["loss_law"]:
                write(f"loss_law{end}", draw_loss_law(measured, group, colours))
            for task, found in group["tasks"].items():
                if found and found["correlation"]:
                    write(f"loss_accuracy_{task}{end}", draw_loss_accuracy(members, group, task, colours))
        for task in runs.tasks:
            if any((group["tasks"].get(task) or {}).get("compute") for group in laws["groups"].values()):
                write(f"accuracy_compute_{task}", draw_accuracy_compute(groups, laws, task, colours))
    _remove_stale(folder, set(written))
    write_json(folder / LIST, list(written))
    return written


def _remove_stale(folder: pathlib.Path, current: set[str]) -> None:
    """Removes the figures of an earlier fit: they would be read as those of this one."""
    if not (folder / LIST).exists():
        return
    stale = set(read_json(folder / LIST)) - current
    for path in folder.iterdir():
        if path.stem in stale and path.suffix in (".png", ".svg"):
            path.unlink()
