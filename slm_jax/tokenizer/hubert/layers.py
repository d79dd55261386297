"""The parts every stage of HuBERT is made of: linear maps, layer norms, activations.

A module takes its arrays from a folder's `Weights` when it is made, under the names transformers gives them:
there is no other way to make one, for these models are not trained here.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slm_jax.weights import Weights

NORM_EPS = 1e-5  # PyTorch's, which config.json does not govern in the convolutions


def gelu(x: jax.Array) -> jax.Array:
    """x times the normal distribution function (Hendrycks & Gimpel 2016).

    By erf: jax.nn.gelu takes erfc, about twice as slow on CPU.
    """
    return 0.5 * x * (1 + jax.lax.erf(x * np.sqrt(0.5).astype(x.dtype)))


ACTIVATIONS = {"gelu": gelu, "relu": nnx.relu, "silu": nnx.silu, "gelu_new": nnx.gelu}


class Linear(nnx.Module):
    """x_...xI -> y_...xO."""

    def __init__(self, weights: Weights, name: str, inputs: int, outputs: int, dtype: jnp.dtype):
        weight_OxI = weights.take(f"{name}.weight", outputs, inputs)
        self.weight_IxO = nnx.Param(jnp.asarray(weight_OxI.T, dtype))
        self.bias_O = nnx.Param(jnp.asarray(weights.take(f"{name}.bias", outputs), dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ self.weight_IxO[...] + self.bias_O[...]


class LayerNorm(nnx.Module):
    """Zero mean and unit variance over the last axis, then a learned scale and shift; in float32."""

    def __init__(self, weights: Weights, name: str, size: int, eps: float):
        self.eps = eps
        self.scale_D = nnx.Param(jnp.asarray(weights.take(f"{name}.weight", size)))
        self.shift_D = nnx.Param(jnp.asarray(weights.take(f"{name}.bias", size)))

    def __call__(self, x: jax.Array) -> jax.Array:
        x32 = x.astype(jnp.float32)
        centred = x32 - x32.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + self.eps)
        return (centred * scale * self.scale_D[...] + self.shift_D[...]).astype(x.dtype)
