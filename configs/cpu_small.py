"""A model of 170K parameters that a laptop trains in minutes; set config.data.path to a unit dataset."""

from slm_jax.model import SIZES
from slm_jax.training import default_config


def get_config():
    config = default_config()
    config.name = "cpu_small"
    config.tokens = 2_000_000
    config.context = 256
    config.batch_size = 4
    config.model.update(SIZES["170k"])
    config.optimizer.peak_rate = 8e-3
    config.optimizer.final_rate = 8e-4
    config.optimizer.min_warmup_steps = 20
    return config
