"""Attention and MLP read the same stream (Wang & Komatsuzaki 2021; Black et al. 2022)."""

import jax
from flax import nnx

from slm_jax.model.blocks import Attend


def apply(layer: nnx.Module, x_BxLxD: jax.Array, attend: Attend) -> tuple[jax.Array, jax.Array | None]:
    update_BxLxD, balance = layer.mlp(layer.mlp_norm(x_BxLxD))
    return x_BxLxD + attend(layer.attention_norm(x_BxLxD)) + update_BxLxD, balance
