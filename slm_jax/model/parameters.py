"""How parameters are made: their initial values, and the axis names that sharding and optimizer go by."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

INITIAL_SCALE = 0.02


Axes = Sequence[str | None]


def normal(rngs: nnx.Rngs, shape: Sequence[int], axes: Axes, scale: float = INITIAL_SCALE) -> nnx.Param:
    return nnx.Param(scale * jax.random.normal(rngs.params(), shape, jnp.float32), axes=axes)


def constant(value: float, shape: Sequence[int], axes: Axes) -> nnx.Param:
    return nnx.Param(jnp.full(shape, value, jnp.float32), axes=axes)


class LayerStack:
    """Makes parameters with a leading axis for the layers; `shape` and `axes` are one layer's."""

    def __init__(self, layers: int, rngs: nnx.Rngs):
        self._layers, self._rngs = layers, rngs
        # What adds to the residual stream starts smaller, so that its variance does not grow with depth.
        self.residual_scale = INITIAL_SCALE / math.sqrt(2 * layers)

    def normal(self, shape: Sequence[int], axes: Axes, scale: float = INITIAL_SCALE) -> nnx.Param:
        return normal(self._rngs, (self._layers, *shape), ("layer", *axes), scale)

    def ones(self, size: int, axis: str | None = None) -> nnx.Param:
        return constant(1.0, (self._layers, size), ("layer", axis))

    def zeros(self, size: int, axis: str | None = None) -> nnx.Param:
        return constant(0.0, (self._layers, size), ("layer", axis))


def add_bias(x: jax.Array, bias: nnx.Param | None) -> jax.Array:
    """x plus a bias over its last axis, if there is one."""
    return x if bias is None else (x + bias[...]).astype(x.dtype)
