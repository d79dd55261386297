"""One run of the isoFLOP grid of 1e13 FLOPs, as 1e13.py:SIZE; the rule is slm_jax/study/budgets.py."""

from slm_jax.study import isoflop_config


def get_config(size=""):
    return isoflop_config(1e13, size)
