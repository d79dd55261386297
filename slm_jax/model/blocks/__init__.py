"""How a layer joins its attention and its MLP: one file a way, by whose name `ModelConfig.block` finds it."""

import dataclasses
from collections.abc import Callable

import jax
from flax import nnx

from slm_jax.errors import InputError
from slm_jax.extensions import find_module

Attend = Callable[[jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Block:
    """What a file of this folder, or of the user's, has.

    Attributes:
      apply: `apply(layer, x_BxLxD, attend)` is the residual stream after a layer, and the balance loss of its
        experts or None.
      declare: `declare(config, new)` makes the layer's parameters by name (None: `layers.declare_parts`).
      final_norm: FINAL_NORM of the file, whether a norm follows the last layer (True where it does not say).
    """

    apply: Callable[[nnx.Module, jax.Array, Attend], tuple[jax.Array, jax.Array | None]]
    declare: Callable[..., dict[str, nnx.Param | None]] | None
    final_norm: bool


def find_block(name: str) -> Block:
    """The block in the file `name` of this folder, or with the path `name`; raises InputError without one."""
    file = find_module(__name__, str(name), "model.block")
    if not callable(getattr(file, "apply", None)):
        raise InputError(f"model.block is {name!r}: the file has no function apply (docs/extending.md)")
    return Block(file.apply, getattr(file, "declare", None), getattr(file, "FINAL_NORM", True))
