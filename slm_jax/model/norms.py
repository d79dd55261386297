"""Norms by name; statistics are float32 in all of them."""

import jax
import jax.numpy as jnp


def rms_norm(x_BxLxD: jax.Array, scale_D: jax.Array, bias_D: None, eps: float) -> jax.Array:
    """Root-mean-square normalization (Zhang & Sennrich 2019); it has no bias."""
    x32 = x_BxLxD.astype(jnp.float32)
    normalized = x32 * jax.lax.rsqrt(jnp.mean(x32 * x32, axis=-1, keepdims=True) + eps)
    return (normalized * scale_D).astype(x_BxLxD.dtype)


def layer_norm(x_BxLxD: jax.Array, scale_D: jax.Array, bias_D: jax.Array, eps: float) -> jax.Array:
    """Layer normalization (Ba et al. 2016)."""
    x32 = x_BxLxD.astype(jnp.float32)
    centred = x32 - x32.mean(axis=-1, keepdims=True)
    normalized = centred * jax.lax.rsqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + eps)
    return (normalized * scale_D + bias_D).astype(x_BxLxD.dtype)


NORMS = {"rmsnorm": rms_norm, "layernorm": layer_norm}
