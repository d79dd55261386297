"""One run of the isoFLOP grid of 1e18 FLOPs, as 1e18.py:SIZE; the rule is slm_jax/study/budgets.py."""

from slm_jax.study import isoflop_config


def get_config(size=""):
    return isoflop_config(1e18, size)
