"""Runs of a plan that cost nothing, and what a worker leaves of one that is done."""

import pathlib

from slm_jax.files import write_json
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.jobs import Jobs

TASK = "minimal_pairs"


def planned(name: str, *, tokens: int = 1000, trunk: str = "", shared_steps: int = 0) -> PlannedRun:
    """A run of 100 updates."""
    return PlannedRun(
        name, "12k", 1e9, 1000, tokens, 100, 6e3 * tokens, trunk=trunk, shared_steps=shared_steps
    )


def jobs_of(folder: pathlib.Path, runs: list[PlannedRun]) -> Jobs:
    return Jobs(StudyFolder(folder), runs, lambda arm: [TASK])


def finish(folder: StudyFolder, run: PlannedRun, *, speed: float = 100.0, seconds: float = 0.0) -> None:
    """What training at `speed` tokens a second and scoring leave of a run."""
    summary = {"tokens_per_second": speed, "validation_loss": 3.0}
    write_json(folder.run(run.name) / "summary.json", summary)
    write_json(folder.score(run.name, LOSS), {"loss": {}})
    write_json(folder.score(run.name, TASK), {"accuracy": {"macro": {"value": 0.5}}})
    write_json(folder.times(run.name), {"seconds": seconds})
