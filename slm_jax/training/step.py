"""One update, as pure functions of the training state, jitted over a mesh."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from slm_jax.errors import InputError
from slm_jax.model import (
    Transformer,
    TransformerConfig,
    batch_sharding,
    parameter_shardings,
    row_multiple,
)
from slm_jax.training.accumulation import batch_gradient
from slm_jax.training.config import OptimizerConfig
from slm_jax.training.micro_batch import largest_that_fits
from slm_jax.training.optimizer import make_optimizer, optimizer_shardings


class TrainState(NamedTuple):
    """Parameters as a plain tree of arrays, and the optimizer's state for them."""

    params: dict
    optimizer: optax.OptState


class Metrics(NamedTuple):
    """Of one update: mean nats per counted target, global norms of the unclipped gradient and of the update,
    and how many targets count (those that are not PAD).
    """

    loss: jax.Array
    grad_norm: jax.Array
    update_norm: jax.Array
    targets: jax.Array


class Program:
    """The compiled functions of a model and optimizer on a mesh.

    `initialize(seed) -> TrainState` makes the state where it lives (never whole on one device);
    `update(state, tokens_BxT, rate) -> (TrainState, Metrics)` consumes the state it is given;
    `model_of(state)` is the Transformer with its parameters. The learning
    rate is an argument and not a constant, so that runs of all lengths share one compilation.

    An update takes its batch in passes of `micro_batch` windows (0: in one, -1: in as few as fit into memory)
    with the result of one pass. `z_loss` is the weight of log(Z)^2 in what is minimized; the loss of the
    metrics is without it. With `skip_bad` an update whose loss or gradient is not finite leaves the state as
    it was; its metrics tell.
    """

    def __init__(
        self,
        model: TransformerConfig,
        optimizer: OptimizerConfig,
        mesh: Mesh,
        *,
        micro_batch: int = 0,
        z_loss: float = 0.0,
        skip_bad: bool = False,
    ):
        graph, shapes = abstract_model(model)
        transform = make_optimizer(optimizer, shapes)

        def initialize(key):
            params = nnx.to_pure_dict(nnx.state(Transformer(model, nnx.Rngs(key))))
            return TrainState(params, transform.init(params))

        def update(state, tokens_BxT, rate, passes):
            loss, targets, gradient = batch_gradient(
                functools.partial(assemble, graph, shapes), state.params, tokens_BxT,
                vocab_size=model.vocab_size, z_loss=z_loss, passes=passes,
            )  # fmt: skip
            direction, optimizer_state = transform.update(gradient, state.optimizer, state.params)
            updates = jax.tree.map(lambda d: -rate * d, direction)
            metrics = Metrics(loss, optax.global_norm(gradient), optax.global_norm(updates), targets)
            updated = TrainState(optax.apply_updates(state.params, updates), optimizer_state)
            if skip_bad:
                good = jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.grad_norm)
                updated = jax.tree.map(lambda new, old: jnp.where(good, new, old), updated, state)
            return updated, metrics

        self.model_of = lambda state: assemble(graph, shapes, state.params)
        params = nnx.to_pure_dict(parameter_shardings(shapes, mesh))
        whole = NamedSharding(mesh, PartitionSpec())
        self.mesh = mesh
        self.batch_sharding = batch_sharding(mesh)
        self.state_shapes = jax.eval_shape(initialize, jax.random.key(0))
        self.state_shardings = TrainState(
            params, optimizer_shardings(transform, self.state_shapes.optimizer, params, whole)
        )
        self._initialize = jax.jit(initialize, out_shardings=self.state_shardings)
        self._update = jax.jit(
            update,
            static_argnums=3,
            donate_argnums=0,
            in_shardings=(self.state_shardings, self.batch_sharding, whole),
            out_shardings=(self.state_shardings, whole),
        )
        self._micro_batch, self._passes, self._compiled = micro_batch, {}, {}

    def initialize(self, seed: int) -> TrainState:
        with jax.set_mesh(self.mesh):
            return self._initialize(jax.random.key(seed))

    def update(self, state: TrainState, tokens_BxT: jax.Array, rate: float) -> tuple[TrainState, Metrics]:
        passes = self.passes(tokens_BxT.shape)
        compiled = self._compiled.get(tokens_BxT.shape)
        with jax.set_mesh(self.mesh):
            if compiled is not None:
                return compiled(state, tokens_BxT, jnp.float32(rate))
            return self._update(state, tokens_BxT, jnp.float32(rate), passes)

    def compile_update(self, shape: tuple[int, int], passes: int) -> jax.stages.Compiled:
        """The update of a batch of this shape, for its memory and cost analysis."""
        tokens_BxT, rate = jax.ShapeDtypeStruct(shape, jnp.int32), jax.ShapeDtypeStruct((), jnp.float32)
        with jax.set_mesh(self.mesh):
            return self._update.lower(self.state_shapes, tokens_BxT, rate, passes).compile()

    def passes(self, shape: tuple[int, int]) -> int:
        """In how many passes an update takes a batch of this shape; decided once.

        Raises InputError if the batch does not split into micro-batches that split over the mesh, or if no
        micro-batch fits into memory.
        """
        if shape not in self._passes:
            self._passes[shape] = shape[0] // self._windows_a_pass(shape)
        return self._passes[shape]

    def _windows_a_pass(self, shape: tuple[int, int]) -> int:
        batch, multiple = shape[0], row_multiple(self.mesh)
        if self._micro_batch == 0:
            return batch
        if self._micro_batch == -1:
            compiled = functools.cache(lambda windows: self.compile_update(shape, batch // windows))
            windows = largest_that_fits(batch, multiple, compiled)
            self._compiled[shape] = compiled(windows)  # what was compiled to ask is not compiled again
            return windows
        if batch % self._micro_batch or self._micro_batch % multiple:
            raise InputError(
                f"config.micro_batch is {self._micro_batch}: choose a divisor of the batch of {batch} "
                f"windows that is a multiple of {multiple}, the parts that the mesh splits a pass into"
            )
        return self._micro_batch


@functools.lru_cache(maxsize=16)
def program(
    model: TransformerConfig,
    optimizer: OptimizerConfig,
    mesh: Mesh,
    *,
    micro_batch: int = 0,
    z_loss: float = 0.0,
    skip_bad: bool = False,
) -> Program:
    """The Program of these configs; runs of a study that differ in nothing else share it."""
    return Program(model, optimizer, mesh, micro_batch=micro_batch, z_loss=z_loss, skip_bad=skip_bad)


def abstract_model(config: TransformerConfig) -> tuple[nnx.GraphDef, nnx.State]:
    """Graph and parameter shapes of a Transformer; nothing is allocated."""
    return nnx.split(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0))))


def assemble(graph: nnx.GraphDef, shapes: nnx.State, params: dict) -> Transformer:
    """The module with `params`, a tree as `nnx.to_pure_dict` gives it."""
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(shapes), jax.tree.leaves(params)))
