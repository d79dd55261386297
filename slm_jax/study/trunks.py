"""Whether a run shares updates with the trunk it is planned with: not where that failed or cannot be read."""

import dataclasses

import jax
import numpy as np
from jax.experimental import multihost_utils

from slm_jax.files import read_json
from slm_jax.study.folder import SUMMARY, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.training import find_damage, read_run_config, saved_steps


def trunk_of(folder: StudyFolder, run: PlannedRun) -> str:
    """The folder of the trunk that a run branches off, or did when it was begun; "" for one made alone.

    That is where the trunk failed, where its checkpoint is damaged, and where it was trained before this
    branch was planned. All processes find the same.
    """
    begun, has_trunk = multihost_utils.broadcast_one_to_all(np.array(_seen(folder, run)))
    if has_trunk and not begun:
        has_trunk = find_damage(folder.checkpoint(run.trunk, run.shared_steps)) is None
    return str(folder.run(run.trunk)) if has_trunk else ""


def is_begun(folder: StudyFolder, run: PlannedRun) -> bool:
    """Whether it is trained, or goes on from a checkpoint of its own."""
    path = folder.run(run.name)
    return (path / SUMMARY).exists() or bool(saved_steps(path))


def as_begun(folder: StudyFolder, run: PlannedRun) -> PlannedRun:
    """A run with the updates that it shares as it was begun last; else as it is planned."""
    path = folder.run(run.name)
    if (path / SUMMARY).exists():
        shared = read_json(path / SUMMARY).get("shared_steps", 0)
    elif (path / "config.json").exists():
        shared = run.shared_steps if read_run_config(path)[0].trunk else 0
    else:
        shared = run.shared_steps
    return dataclasses.replace(run, trunk=run.trunk if shared else "", shared_steps=shared)


def _seen(folder: StudyFolder, run: PlannedRun) -> tuple[bool, bool]:
    """Whether a run is begun, and whether its trunk's checkpoint is there, or was then; by the first process.

    The others may see the same folder a little later.
    """
    if not run.trunk or jax.process_index() != 0:
        return False, False
    if is_begun(folder, run):
        return True, as_begun(folder, run).shared_steps > 0
    return False, run.shared_steps in saved_steps(folder.run(run.trunk))
