"""Where each parameter lies in another project's checkpoint, and a model made from there."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.model.config import TransformerConfig
from slm_jax.model.sharding import make_mesh, parameter_shardings
from slm_jax.model.transformer import Transformer


@dataclasses.dataclass(frozen=True)
class Stored:
    """A parameter as another project stores it.

    Attributes:
      name: of the tensor; "{}" stands for the layer.
      inputs: how many of our leading axes are inputs of a matrix, which is stored as output x input; 0 for
        vectors and tables, which are stored as they are here.
      rows: the number of rows of the tensor, from the number that are ours.
      part: of the tensor, the rows that are ours, in our order.
    """

    name: str
    inputs: int = 0
    rows: Callable[[int], int] = lambda ours: ours
    part: Callable[[TransformerConfig, np.ndarray], np.ndarray] = lambda _, stored: stored

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """Of the tensor that holds a parameter of this shape."""
        if self.inputs:
            ours = (math.prod(ours[self.inputs :]), math.prod(ours[: self.inputs]))
        return (self.rows(ours[0]), *ours[1:])


Layout = Mapping[str, Stored]  # by our names
Take = Callable[[str, tuple[int, ...]], np.ndarray]  # a tensor by name and expected shape


def build(config: TransformerConfig, layout: Layout, take: Take, mesh: Mesh | None = None) -> Transformer:
    """The model with its parameters from `take`, one by one, laid out on `mesh` (None: the first device).

    Raises what `take` raises.
    """
    mesh = make_mesh(devices=jax.devices()[:1]) if mesh is None else mesh
    graph, shapes = nnx.split(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0))))
    shardings = dict(nnx.to_flat_state(parameter_shardings(shapes, mesh)))
    filled = []
    for path, variable in nnx.to_flat_state(shapes):
        array = read_parameter(config, layout[path[-1]], variable, take)
        filled.append((path, variable.replace(jax.device_put(array, shardings[path].get_value()))))
    return nnx.merge(graph, nnx.from_flat_state(filled))


def read_parameter(
    config: TransformerConfig, stored: Stored, variable: nnx.Variable, take: Take
) -> np.ndarray:
    """One parameter as it is here, all its layers stacked."""

    def read(name: str, shape: tuple[int, ...]) -> np.ndarray:
        tensor = stored.part(config, take(name, stored.shape(shape)))
        return (tensor.T if stored.inputs else tensor).reshape(shape)

    if variable.axes[0] != "layer":
        return read(stored.name, variable.shape)
    array = np.empty(variable.shape, np.float32)
    for layer in range(config.layers):
        array[layer] = read(stored.name.format(layer), variable.shape[1:])
    return array


def tensors_of(model: Transformer, layout: Layout) -> dict[str, np.ndarray]:
    """The tensors that hold the model, for a layout that stores every parameter whole."""
    tensors = {}
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        stored, array = layout[path[-1]], np.asarray(variable[...])
        layers = enumerate(array) if variable.axes[0] == "layer" else [(None, array)]
        for layer, ours in layers:
            shape = stored.shape(ours.shape)
            tensor = ours.reshape(shape[::-1]).T if stored.inputs else ours
            tensors[stored.name.format(layer)] = np.ascontiguousarray(tensor)
    return tensors


def halves_from_pairs(config: TransformerConfig, rows_HKxD: np.ndarray) -> np.ndarray:
    """Reorders the rows of a query or key matrix of which rotary positions turn the pairs (0, 1), (2, 3), ...

    Then they turn (0, K/2), (1, K/2 + 1), ..., as they do here. Queries and keys in the same new order have
    the same products: the model is the same.
    """
    inputs = rows_HKxD.shape[1]
    pairs_HxKxD = rows_HKxD.reshape(-1, config.head_dim // 2, 2, inputs)
    return pairs_HxKxD.swapaxes(1, 2).reshape(rows_HKxD.shape)
