"""Log-likelihood of tokens under a causal model, computed where the logits are."""

import contextlib
import functools
import math
from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from slm_jax.model.sharding import RULES, batch_sharding


@functools.partial(jax.jit, static_argnames=("graphdef", "vocab_size", "mesh"))
def _next_token_loglik(graphdef, state, tokens_BxT, *, vocab_size: int, mesh: Mesh | None):
    logits_BxLxV = nnx.merge(graphdef, state)(tokens_BxT[:, :-1])[..., :vocab_size]
    logits_BxLxV = logits_BxLxV.astype(jnp.promote_types(logits_BxLxV.dtype, jnp.float32))
    target_BxL = jnp.take_along_axis(logits_BxLxV, tokens_BxT[:, 1:, None], axis=-1)[..., 0]
    loglik_BxL = target_BxL - jax.nn.logsumexp(logits_BxLxV, axis=-1)
    if mesh is not None:  # every host reads every score
        loglik_BxL = jax.lax.with_sharding_constraint(loglik_BxL, NamedSharding(mesh, PartitionSpec()))
    return loglik_BxL


def next_token_loglik(
    model: nnx.Module, batches: Iterable[np.ndarray], *, vocab_size: int, mesh: Mesh | None = None
) -> Iterator[np.ndarray]:
    """Yields, for each tokens_BxT, the float64 array loglik_BxL (L = T - 1) of each token after the first.

    `loglik_BxL[:, t]` is log p(tokens[:, t + 1] | tokens[:, : t + 1]) in nats. The softmax runs over the
    first `vocab_size` logits (a model may pad its vocabulary for the hardware), in float32 or finer whatever
    the model computes in. Logits never leave the device. One compiled function serves every model with the
    same NNX graph and batch shape; the next batch is dispatched before the last one is read.
    """
    graphdef, state = nnx.split(model)
    running = None
    for tokens_BxT in batches:
        with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
            if mesh is not None:
                tokens_BxT = jax.device_put(tokens_BxT, batch_sharding(mesh))
            ahead = _next_token_loglik(graphdef, state, tokens_BxT, vocab_size=vocab_size, mesh=mesh)
        if running is not None:
            yield np.asarray(running, np.float64)
        running = ahead
    if running is not None:
        yield np.asarray(running, np.float64)


def row_multiple(mesh: Mesh | None) -> int:
    """The rows of a batch must be a multiple of this to spread evenly over `mesh`."""
    return 1 if mesh is None else math.prod(mesh.shape[axis] for axis in RULES["batch"])


def default_batch_tokens() -> int:
    """Tokens a batch: what stays in a CPU's cache, or what fills an accelerator."""
    return 2048 if jax.default_backend() == "cpu" else 65536
