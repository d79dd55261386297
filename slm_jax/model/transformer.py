"""The decoder: parameters stacked over layers, applied by one scan.

Shapes: B sequences, L positions, D model width, H heads, K head size, F MLP hidden size, V vocabulary; a
leading N is the stack of layers, which the scan slices away.
"""

import functools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from slm_jax.model.attention import causal_attention
from slm_jax.model.config import TransformerConfig
from slm_jax.model.sharding import constrain

INITIAL_SCALE = 0.02
CPU_UNROLL = 8


def _normal(rngs: nnx.Rngs, shape, axes, scale=INITIAL_SCALE) -> nnx.Param:
    return nnx.Param(scale * jax.random.normal(rngs.params(), shape, jnp.float32), axes=axes)


def _ones(shape, axes) -> nnx.Param:
    return nnx.Param(jnp.ones(shape, jnp.float32), axes=axes)


def rms_norm(x_BxLxD: jax.Array, scale_D: jax.Array, eps: float) -> jax.Array:
    """Root-mean-square normalization (Zhang & Sennrich 2019), statistics in float32."""
    x32 = x_BxLxD.astype(jnp.float32)
    normalized = x32 * jax.lax.rsqrt(jnp.mean(x32 * x32, axis=-1, keepdims=True) + eps)
    return (normalized * scale_D).astype(x_BxLxD.dtype)


def rotate(x_BxLxHxK: jax.Array, theta: float) -> jax.Array:
    """Rotary positions (Su et al. 2021); pairs join the two halves of a head, as Hugging Face has them."""
    length, head_dim = x_BxLxHxK.shape[1], x_BxLxHxK.shape[-1]
    frequency = theta ** (-jnp.arange(0, head_dim, 2, dtype=jnp.float32) / head_dim)
    angle_Lx1xK = (jnp.arange(length, dtype=jnp.float32)[:, None] * frequency)[:, None, :]
    cos, sin = jnp.cos(angle_Lx1xK).astype(x_BxLxHxK.dtype), jnp.sin(angle_Lx1xK).astype(x_BxLxHxK.dtype)
    first, second = jnp.split(x_BxLxHxK, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class Blocks(nnx.Module):
    """All layers of the decoder; `__call__` is one layer, on a module whose leading axis was sliced away."""

    def __init__(self, config: TransformerConfig, rngs: nnx.Rngs):
        self.config = config
        n, d, h, k, f = config.layers, config.dim, config.heads, config.head_dim, config.mlp_dim
        into_residual = INITIAL_SCALE / math.sqrt(2 * n)
        heads, mlp = ("layer", "embed", "heads", None), ("layer", "embed", "mlp")
        self.attention_norm_NxD = _ones((n, d), ("layer", None))
        self.query_NxDxHxK = _normal(rngs, (n, d, h, k), heads)
        self.key_NxDxHxK = _normal(rngs, (n, d, h, k), heads)
        self.value_NxDxHxK = _normal(rngs, (n, d, h, k), heads)
        self.out_NxHxKxD = _normal(rngs, (n, h, k, d), ("layer", "heads", None, "embed"), into_residual)
        self.mlp_norm_NxD = _ones((n, d), ("layer", None))
        self.gate_NxDxF = _normal(rngs, (n, d, f), mlp)
        self.up_NxDxF = _normal(rngs, (n, d, f), mlp)
        self.down_NxFxD = _normal(rngs, (n, f, d), ("layer", "mlp", "embed"), into_residual)

    def __call__(self, x_BxLxD: jax.Array) -> jax.Array:
        x_BxLxD += self._attention(rms_norm(x_BxLxD, self.attention_norm_NxD[...], self.config.norm_eps))
        return x_BxLxD + self._mlp(rms_norm(x_BxLxD, self.mlp_norm_NxD[...], self.config.norm_eps))

    def _attention(self, x_BxLxD: jax.Array) -> jax.Array:
        query, key, value = (
            jnp.einsum("bld,dhk->blhk", x_BxLxD, weight[...].astype(x_BxLxD.dtype))
            for weight in (self.query_NxDxHxK, self.key_NxDxHxK, self.value_NxDxHxK)
        )
        query, key = rotate(query, self.config.rope_theta), rotate(key, self.config.rope_theta)
        attended_BxLxHxK = causal_attention(query, key, value, self.config.attention)
        return jnp.einsum("blhk,hkd->bld", attended_BxLxHxK, self.out_NxHxKxD[...].astype(x_BxLxD.dtype))

    def _mlp(self, x_BxLxD: jax.Array) -> jax.Array:
        gate, up, down = (
            weight[...].astype(x_BxLxD.dtype) for weight in (self.gate_NxDxF, self.up_NxDxF, self.down_NxFxD)
        )
        return (nnx.silu(x_BxLxD @ gate) * (x_BxLxD @ up)) @ down


class Transformer(nnx.Module):
    """Tokens to next-token logits, with input and output embedding tied."""

    def __init__(self, config: TransformerConfig, rngs: nnx.Rngs):
        self.config = config
        self.embedding_VxD = _normal(rngs, (config.vocab_size, config.dim), ("vocab", "embed"))
        self.blocks = Blocks(config, rngs)
        self.final_norm_D = _ones((config.dim,), (None,))

    def __call__(self, tokens_BxL: jax.Array) -> jax.Array:
        """Logits for the token after each position, float32, BxLxV."""
        embedding_VxD = self.embedding_VxD[...].astype(self.compute_dtype)
        # Looked up in a whole table: a lookup in one split over devices is laid out badly.
        x_BxLxD = constrain(constrain(embedding_VxD, None, None)[tokens_BxL], "batch", None, None)
        graph, stacked = nnx.split(self.blocks)

        def apply_layer(x_BxLxD, layer):
            return constrain(nnx.merge(graph, layer)(x_BxLxD), "batch", None, None), None

        # XLA runs straight code on CPU about twice as fast as a loop, at the price of a longer compilation.
        unroll = CPU_UNROLL if jax.default_backend() == "cpu" else 1
        x_BxLxD, _ = jax.lax.scan(apply_layer, x_BxLxD, stacked, unroll=min(unroll, self.config.layers))
        x_BxLxD = rms_norm(x_BxLxD, self.final_norm_D[...], self.config.norm_eps)
        return jnp.einsum("bld,vd->blv", x_BxLxD, embedding_VxD, preferred_element_type=jnp.float32)

    @property
    def compute_dtype(self) -> jnp.dtype:
        if self.config.dtype == "auto":
            return jnp.dtype("float32" if jax.default_backend() == "cpu" else "bfloat16")
        return jnp.dtype(self.config.dtype)


@functools.cache
def count_parameters(config: TransformerConfig) -> int:
    """N: trainable parameters, the tied embedding counted once; nothing is allocated."""
    shapes = nnx.eval_shape(lambda: nnx.state(Transformer(config, nnx.Rngs(0))))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
