"""The norm follows each sum, so that none is left for the end (Vaswani et al. 2017)."""

import jax
from flax import nnx

from slm_jax.model.blocks import Attend

FINAL_NORM = False


def apply(layer: nnx.Module, x_BxLxD: jax.Array, attend: Attend) -> tuple[jax.Array, jax.Array | None]:
    x_BxLxD = layer.attention_norm(x_BxLxD + attend(x_BxLxD))
    update_BxLxD, balance = layer.mlp(x_BxLxD)
    return layer.mlp_norm(x_BxLxD + update_BxLxD), balance
