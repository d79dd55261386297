"""The attention part of a layer: queries, keys and values, their positions, and the way back.

Shapes: B sequences, L positions, D model width, H heads (of keys and values: as many as they have), K head
size; a leading N is the stack of layers, which the scan slices away.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from slm_jax.model.attention import causal_attention
from slm_jax.model.config import ModelConfig
from slm_jax.model.linear import linear
from slm_jax.model.norms import rms_norm
from slm_jax.model.parameters import LayerStack, add_bias
from slm_jax.model.positions import rotate


def declare_attention(config: ModelConfig, new: LayerStack) -> dict[str, nnx.Param | None]:
    """The parameters of `self_attention`; None for those the config does without."""
    d, h, g, k = config.dim, config.heads, config.key_value_heads, config.head_dim
    axes, bias, norm = ("embed", "heads", None), config.attention_bias, config.qk_norm
    return {
        "query_NxDxHxK": new.normal((d, h, k), axes),
        "key_NxDxHxK": new.normal((d, g, k), axes),
        "value_NxDxHxK": new.normal((d, g, k), axes),
        "out_NxHxKxD": new.normal((h, k, d), ("heads", None, "embed"), new.residual_scale),
        "query_bias_NxHK": new.zeros(h * k, "heads") if bias != "none" else None,
        "key_bias_NxHK": new.zeros(g * k, "heads") if bias != "none" else None,
        "value_bias_NxHK": new.zeros(g * k, "heads") if bias != "none" else None,
        "out_bias_NxD": new.zeros(d) if bias == "all" else None,
        "query_norm_NxK": new.ones(k) if norm else None,
        "key_norm_NxK": new.ones(k) if norm else None,
    }


def self_attention(
    layer: nnx.Module,
    x_BxLxD: jax.Array,
    segment_BxL: jax.Array | None = None,
    position_BxL: jax.Array | None = None,
) -> jax.Array:
    """Causal self-attention with the parameters of one layer; returns BxLxD. Segments are as in `attention`,
    positions those of rotary embeddings (default 0..L-1). A layer with a cache needs the positions, attends
    over what the cache holds too, and takes a row for one segment.
    """
    config = layer.config
    query = _heads(x_BxLxD, layer.query_NxDxHxK, layer.query_bias_NxHK)
    key = _heads(x_BxLxD, layer.key_NxDxHxK, layer.key_bias_NxHK)
    value = _heads(x_BxLxD, layer.value_NxDxHxK, layer.value_bias_NxHK)
    if config.qk_norm:
        query = rms_norm(query, layer.query_norm_NxK[...], None, config.norm_eps)
        key = rms_norm(key, layer.key_norm_NxK[...], None, config.norm_eps)
    if config.positions == "rotary":
        query, key = (rotate(x, config.rope_theta, config.rotary_dim, position_BxL) for x in (query, key))
    if layer.cache is None:
        attended_BxLxHxK = causal_attention(query, key, value, config.attention, segment_BxL)
    else:
        attended_BxLxHxK = layer.cache.attend(query, key, value, position_BxL)
    out_HxKxD = layer.out_NxHxKxD[...].astype(x_BxLxD.dtype)
    return add_bias(jnp.einsum("blhk,hkd->bld", attended_BxLxHxK, out_HxKxD), layer.out_bias_NxD)


def _heads(x_BxLxD: jax.Array, weight: nnx.Param, bias: nnx.Param | None) -> jax.Array:
    x_BxLxHxK = linear(x_BxLxD, weight[...].astype(x_BxLxD.dtype))
    if bias is None:
        return x_BxLxHxK
    return (x_BxLxHxK + bias[...].reshape(x_BxLxHxK.shape[2:])).astype(x_BxLxD.dtype)
