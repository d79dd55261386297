"""The validations of a run: on its way, at its end, and of a step that was stopped before its own."""

import pathlib

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.data import UnitDataset
from slm_jax.errors import Preempted
from slm_jax.training.agreement import as_the_first_sees
from slm_jax.training.checkpointing.checkpoints import add_validation_loss
from slm_jax.training.checkpointing.restore import saved_steps, validation_losses
from slm_jax.training.config import TrainConfig
from slm_jax.training.heldout import heldout_loss
from slm_jax.training.preemption import Preemption


class Validation:
    """Upstream loss on the validation split of a run's first dataset.

    Attributes:
      is_possible: whether the dataset has such a split.
    """

    def __init__(self, config: TrainConfig, dataset: UnitDataset, mesh: Mesh):
        self._config, self._dataset, self._mesh = config, dataset, mesh
        self._split = config.data.validation_split
        self.is_possible = self._split in dataset.splits

    def loss(self, model: nnx.Module) -> float:
        return heldout_loss(
            model, self._dataset, self._split, context=self._config.context, mesh=self._mesh
        ).nats_per_token

    def make_up(self, run_dir: pathlib.Path, step: int, model: nnx.Module, preemption: Preemption) -> float:
        """That of a checkpoint which was saved without it, and has it from now on; raises Preempted."""
        loss = preemption.unless_asked(self.loss, model)
        if loss is None:
            raise Preempted(f"{run_dir}: stopped at step {step}, before its validation")
        if step in saved_steps(run_dir):  # a branch begins with a checkpoint of its trunk
            add_validation_loss(run_dir, step, loss)
        return loss

    def final(self, run_dir: pathlib.Path, model: nnx.Module) -> dict:
        """Of the last state, measured already or now; None where the dataset has no such split."""
        if not self.is_possible:
            return {"validation_loss": None, "validation_tokens": 0}
        loss = as_the_first_sees(lambda: validation_losses(run_dir).get(self._config.steps))
        lengths = self._dataset.lengths(self._split)
        return {
            "validation_loss": self.loss(model) if loss is None else loss,
            "validation_tokens": int(np.sum(lengths + 1, dtype=np.int64)),
        }
