"""Gradients that are sums over all tokens: computing in bfloat16 does not mean to add them up in it."""

import dataclasses

import jax
import numpy as np
from flax import nnx

from slm_jax.model import Transformer, TransformerConfig, next_token_loss

SEQUENCES, LENGTH = 6400, 16
CONFIG = TransformerConfig(
    vocab_size=12, layers=1, dim=8, heads=1, mlp_multiple=8, mlp="relu", norm="layernorm",
    positions="learned", max_positions=LENGTH, mlp_bias=True, attention_bias="all", attention="reference",
)  # fmt: skip


def gradients(config, tokens_BxT):
    graph, state = nnx.split(Transformer(config, nnx.Rngs(0)))

    def loss(state):
        sums = next_token_loss(nnx.merge(graph, state), tokens_BxT)
        return sums.nats / sums.targets

    gradient = nnx.to_pure_dict(jax.jit(jax.grad(loss))(state))
    return gradient.pop("blocks") | gradient


def test_sums_over_tokens_in_bfloat16_are_near_float32():
    """With as many tokens as an update of a large model has, many of which are the same."""
    rng = np.random.default_rng(0)
    tokens_BxT = rng.integers(10, size=(SEQUENCES, LENGTH + 1), dtype=np.int32)
    tokens_BxT[rng.random(tokens_BxT.shape) < 0.05] = 3
    exact = gradients(CONFIG, tokens_BxT)
    rough = gradients(dataclasses.replace(CONFIG, dtype="bfloat16"), tokens_BxT)
    for name in ("embedding_VxD", "positions_PxD", "value_bias_NxHK", "out_bias_NxD", "down_bias_NxD"):
        error = np.linalg.norm(rough[name] - exact[name]) / np.linalg.norm(exact[name])
        assert error < 0.005, name  # a bfloat16 is off by up to 2^-9 = 0.002
