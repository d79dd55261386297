"""Weights & Biases, for those who have it installed."""

import dataclasses
import importlib.util
import os
import pathlib

from slm_jax.errors import InputError
from slm_jax.training.config import TrainConfig


def check_wandb(project: str) -> None:
    """Raises InputError when a project is named and the package is not there."""
    if project and importlib.util.find_spec("wandb") is None:
        raise InputError(
            f"config.wandb is {project!r}, but Weights & Biases is not installed: pip install wandb, or "
            "leave config.wandb empty"
        )


class WandbLog:
    """One run of Weights & Biases, which goes on under its `id` when the training does."""

    def __init__(self, run_dir: pathlib.Path, config: TrainConfig, *, id: str):
        import wandb

        self._run = wandb.init(
            project=config.wandb,
            name=config.name or None,
            id=id,
            resume="allow",
            dir=os.fspath(run_dir),
            config=dataclasses.asdict(config),
        )

    def write(self, row: dict) -> None:
        self._run.log(row, step=row["step"])

    def close(self) -> None:
        self._run.finish()
