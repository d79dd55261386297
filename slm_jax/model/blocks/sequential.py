"""Attention, then the MLP, each on a norm of the stream (Llama: Touvron et al. 2023)."""

import jax
from flax import nnx

from slm_jax.model.blocks import Attend


def apply(layer: nnx.Module, x_BxLxD: jax.Array, attend: Attend) -> tuple[jax.Array, jax.Array | None]:
    x_BxLxD += attend(layer.attention_norm(x_BxLxD))
    update_BxLxD, balance = layer.mlp(layer.mlp_norm(x_BxLxD))
    return x_BxLxD + update_BxLxD, balance
