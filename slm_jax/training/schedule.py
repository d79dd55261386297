"""The learning rate at every update."""

import optax

from slm_jax.training.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Rate of update s (from 0) of `steps`: linear warm-up to the peak, then half a cosine to the final rate.

    The warm-up is max(min_warmup_steps, warmup_fraction * steps) long, and at most half of the run.
    """
    warmup = max(config.min_warmup_steps, round(config.warmup_fraction * steps))
    warmup = min(warmup, steps // 2)
    return optax.warmup_cosine_decay_schedule(
        init_value=config.peak_rate / max(1, warmup),
        peak_value=config.peak_rate,
        warmup_steps=warmup,
        decay_steps=max(1, steps),
        end_value=config.final_rate,
    )
