"""One run of the isoFLOP grid of 1e20 FLOPs, as 1e20.py:SIZE; the rule is slm_jax/study/budgets.py."""

from slm_jax.study import isoflop_config


def get_config(size=""):
    return isoflop_config(1e20, size)
