"""Log-likelihood of tokens under a causal model, computed where the logits are."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from slm_jax.errors import InputError
from slm_jax.model.config import CHOICES
from slm_jax.model.loss import target_logs
from slm_jax.model.sharding import RULES, batch_sharding
from slm_jax.model.transformer import Transformer


class Batch(NamedTuple):
    """What a model reads, and which tokens are scored.

    Attributes:
      tokens_BxL: what is read.
      target_BxM: the tokens whose log-likelihood is wanted.
      source_BxM: the position that predicts each; by default target t is predicted at position t (M = L).
      segment_BxL, position_BxL: as `Transformer.__call__` takes them; both or neither.
    """

    tokens_BxL: np.ndarray
    target_BxM: np.ndarray
    source_BxM: np.ndarray | None = None
    segment_BxL: np.ndarray | None = None
    position_BxL: np.ndarray | None = None


@functools.partial(jax.jit, static_argnames=("graphdef", "vocab_size", "mesh"))
def _target_loglik(graphdef, state, batch: Batch, *, vocab_size: int, mesh: Mesh | None):
    layout = () if batch.segment_BxL is None else (batch.segment_BxL, batch.position_BxL)
    model = nnx.merge(graphdef, state)
    with _whole_products(model):
        x_BxMxD, _ = model.hidden(batch.tokens_BxL, *layout)
        if batch.source_BxM is not None:
            x_BxMxD = jnp.take_along_axis(x_BxMxD, batch.source_BxM[..., None], axis=1)
        loglik_BxM, _ = target_logs(model, x_BxMxD, batch.target_BxM, vocab_size)
    if mesh is not None:  # every host reads every score
        loglik_BxM = jax.lax.with_sharding_constraint(loglik_BxM, NamedSharding(mesh, PartitionSpec()))
    return loglik_BxM


def _whole_products(model: nnx.Module) -> contextlib.AbstractContextManager:
    """Float32 is multiplied as such: by default accelerators take fewer bits of it (TF32, bfloat16)."""
    if isinstance(model, Transformer) and model.compute_dtype == jnp.bfloat16:
        return contextlib.nullcontext()
    return jax.default_matmul_precision("highest")


def target_loglik(
    model: nnx.Module, batches: Iterable[Batch], *, vocab_size: int, mesh: Mesh | None = None
) -> Iterator[np.ndarray]:
    """Yields loglik_BxM (float32) of every batch: of each target in nats, given what its source sees.

    `model` has `hidden` and `logits` as `Transformer` does. The softmax runs over its first `vocab_size`
    logits (a model may pad its vocabulary for the hardware), in float32 whatever the model computes in; a
    model in float32 multiplies all its bits, also where accelerators by default take fewer. Logits never
    leave the device, and with a large vocabulary are never in its memory together (`loss.target_logs`). One
    compiled function serves every model with the same NNX graph and batch shape; the next batch is dispatched
    before the last one is read. On a mesh of several hosts each gives all rows of every batch, and gets all
    scores.
    """
    graphdef, state = nnx.split(model)
    running = None
    for batch in batches:
        with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
            if mesh is not None:
                batch = jax.tree.map(functools.partial(_spread, mesh), batch)
            ahead = _target_loglik(graphdef, state, batch, vocab_size=vocab_size, mesh=mesh)
        if running is not None:
            yield np.asarray(running)
        running = ahead
    if running is not None:
        yield np.asarray(running)


def _spread(mesh: Mesh, x_BxL: np.ndarray) -> jax.Array:
    """Each host fills its own devices; device_put would first compare all rows over the network."""
    return jax.make_array_from_callback(x_BxL.shape, batch_sharding(mesh), x_BxL.__getitem__)


def at_precision(model: Transformer, dtype: str) -> Transformer:
    """The same parameters in a model that computes in `dtype`, "float32" or "bfloat16".

    Raises InputError for another.
    """
    if dtype not in CHOICES["dtype"]:
        raise InputError(f"precision is {dtype!r}: choose one of {', '.join(CHOICES['dtype'])}")
    config = dataclasses.replace(model.config, dtype=dtype)
    graph = nnx.graphdef(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0))))
    return nnx.merge(graph, nnx.state(model))


def strided_windows(targets: int, context: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """(start_W, scored_W): windows over a stream that score each of its `targets` exactly once.

    Window w reads `context` tokens from start_W[w] = w * stride. The first scores all it predicts, each later
    one its last `stride` targets, which so see at least context - stride + 1 tokens. scored_W are the first
    positions that score. With stride = context the windows do not overlap.

    Raises InputError for a stride outside 1..context.
    """
    if not 1 <= stride <= context:
        raise InputError(
            f"stride is {stride} but the context is {context}: choose a stride from 1 to {context}"
        )
    windows = 1 + max(0, -(-(targets - context) // stride))
    start_W = stride * np.arange(windows)
    return start_W, np.where(start_W == 0, 0, context - stride)


def row_multiple(mesh: Mesh | None) -> int:
    """The rows of a batch must be a multiple of this to spread evenly over `mesh`."""
    return 1 if mesh is None else math.prod(mesh.shape[axis] for axis in RULES["batch"])


def default_batch_tokens() -> int:
    """Tokens a batch: what stays in a CPU's cache, or what fills an accelerator."""
    return 2048 if jax.default_backend() == "cpu" else 65536
