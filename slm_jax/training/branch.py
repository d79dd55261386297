"""Branches: runs of several lengths that share one trunk up to where their learning rates begin to decay.

With the schedule "wsd" (Hu et al. 2024, arXiv 2404.06395) the learning rate is the same for all lengths until
then, so a branch is the run it would have been alone, without the cost of the shared updates.
"""

import dataclasses
import pathlib

import numpy as np

from slm_jax.errors import InputError
from slm_jax.model import TransformerConfig
from slm_jax.training.checkpointing.checkpoints import FOLDER
from slm_jax.training.checkpointing.restore import Restored, read_if_whole, restore_state, saved_steps
from slm_jax.training.config import TrainConfig
from slm_jax.training.run_folder import FREE, changes, read_run_config
from slm_jax.training.schedule import decay_start, learning_rate
from slm_jax.training.step import Program


def branch_steps(config: TrainConfig) -> list[int]:
    """Steps of the checkpoints that a trunk keeps for the runs of `config.branch_tokens`.

    Raises InputError for one that would leave the trunk only after the trunk's own decay has begun.
    """
    last = decay_start(config.optimizer, config.steps)
    steps = set()
    for tokens in config.branch_tokens:
        run = dataclasses.replace(config, tokens=tokens)
        step = decay_start(run.optimizer, run.steps)
        if step > last and not config.trunk:  # a branch may have the config of its trunk
            raise InputError(
                f"config.branch_tokens has {tokens:,}: such a run branches off at step {step}, but from step "
                f"{last} on the trunk's own rate decays; give branches of at most the trunk's tokens"
            )
        steps.add(step)
    return sorted(steps)


def shared_steps(config: TrainConfig) -> int:
    """Updates that a run shares with its trunk; 0 for a run without one."""
    return decay_start(config.optimizer, config.steps) if config.trunk else 0


def check_trunk(config: TrainConfig, model: TransformerConfig, data: dict) -> None:
    """Raises InputError unless the run `config.trunk` is this run up to a checkpoint that it has kept."""
    content = {"train": dataclasses.asdict(config), "model": dataclasses.asdict(model), "data": data}
    changed = changes(config.trunk, content, free=(*FREE, "train.tokens"))
    if changed:
        raise InputError(
            f"config.trunk {config.trunk}: a branch has all settings of its trunk but the tokens "
            f"({', '.join(changed)}); train another trunk, or set them alike"
        )
    step, (trunk, _, _) = shared_steps(config), read_run_config(config.trunk)
    if step > trunk.steps or not np.array_equal(_rates(config, step), _rates(trunk, step)):
        raise InputError(
            f"config.trunk {config.trunk}: its learning rate decays before step {step}, where a run of "
            f"{config.tokens:,} tokens branches off; train a trunk of at least as many tokens"
        )
    if step not in saved_steps(config.trunk):
        kept = ", ".join(map(str, sorted(saved_steps(config.trunk)))) or "none"
        raise InputError(
            f"config.trunk {config.trunk}: has no checkpoint of step {step}, where a run of "
            f"{config.tokens:,} tokens branches off (there are: {kept}); train the trunk with these tokens "
            "in config.branch_tokens"
        )


def branch_off(config: TrainConfig, program: Program) -> Restored | None:
    """The trunk's state where this run leaves it; None for a run without a trunk."""
    if not config.trunk:
        return None
    folder = pathlib.Path(config.trunk).absolute() / FOLDER / str(shared_steps(config))
    restored, damage = read_if_whole(folder, lambda folder: restore_state(folder, program))
    if damage:
        raise InputError(f"{folder}: the trunk's checkpoint cannot be read ({damage}); train the trunk again")
    return restored


def _rates(config: TrainConfig, steps: int) -> np.ndarray:
    return np.asarray(learning_rate(config.optimizer, config.steps)(np.arange(steps)))
