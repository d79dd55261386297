"""Runs of a plan that cost nothing, and what a worker leaves of one that is done."""

import dataclasses
import pathlib

from slm_jax.files import write_json
from slm_jax.model import TransformerConfig
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.jobs import Jobs
from slm_jax.training import DataConfig, OptimizerConfig, TrainConfig

TASK = "minimal_pairs"


def planned(name: str, *, tokens: int = 1000, trunk: str = "", shared_steps: int = 0) -> PlannedRun:
    """A run of 100 updates."""
    return PlannedRun(
        name, "12k", 1e9, 1000, tokens, 100, 6e3 * tokens, trunk=trunk, shared_steps=shared_steps
    )


def jobs_of(folder: pathlib.Path, runs: list[PlannedRun]) -> Jobs:
    return Jobs(StudyFolder(folder), runs, lambda arm: [TASK])


def begin(folder: StudyFolder, run: PlannedRun, trunk: str = "") -> None:
    """What the first checkpoint leaves of a run that was begun with this trunk, or alone."""
    folder.checkpoint(run.name, 70).mkdir(parents=True)
    schedule, data = OptimizerConfig(schedule="wsd"), DataConfig(path="units")
    train = TrainConfig(tokens=run.tokens, data=data, optimizer=schedule, trunk=trunk)
    model = TransformerConfig(vocab_size=30)
    content = {"train": dataclasses.asdict(train), "model": dataclasses.asdict(model), "data": {}}
    write_json(folder.run(run.name) / "config.json", content)


def finish(
    folder: StudyFolder, run: PlannedRun, *, speed: float = 100.0, seconds: float = 0.0, shared_steps: int = 0
) -> None:
    """What training at `speed` tokens a second and scoring leave of a run."""
    shared = {"trunk": "trunk", "shared_steps": shared_steps} if shared_steps else {}
    summary = {"tokens_per_second": speed, "validation_loss": 3.0} | shared
    write_json(folder.run(run.name) / "summary.json", summary)
    write_json(folder.score(run.name, LOSS), {"loss": {}})
    write_json(folder.score(run.name, TASK), {"accuracy": {"macro": {"value": 0.5}}})
    write_json(folder.times(run.name), {"seconds": seconds})
