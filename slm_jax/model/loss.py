"""The training objective over a batch, as sums that add up over micro-batches."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from slm_jax.model.sharding import constrain, partition_spec
from slm_jax.model.transformer import Transformer

LOGITS_AT_ONCE = 2**27  # on a device: 512 MiB in float32, and about as much again for their gradient


class LossSums(NamedTuple):
    """Over the targets that count: their -log p in nats, how many they are, and their z-loss; and the
    penalty of experts, a mean over the batch.
    """

    nats: jax.Array
    targets: jax.Array
    z: jax.Array | float
    penalty: jax.Array | float


def next_token_loss(model: Transformer, tokens_BxT: jax.Array, z_loss: float = 0.0) -> LossSums:
    """The loss of predicting each token of a batch from those before it; targets that are PAD do not count.

    With Z the sum of exp(logits), `z` sums z_loss * log(Z)^2 (Chowdhery et al. 2022, section 5). If the
    batch has more than LOGITS_AT_ONCE logits on a device, they are computed for some positions at a time,
    and again in the backward pass, so that they are never in memory together.
    """
    x_BxLxD, penalty = model.hidden(tokens_BxT[:, :-1])
    counts_BxL = counted_targets(tokens_BxT, model.config.vocab_size)
    log_p_BxL, log_z_BxL = target_logs(model, x_BxLxD, tokens_BxT[:, 1:], model.config.vocab_size)
    return LossSums(
        nats=-jnp.sum(log_p_BxL, where=counts_BxL),
        targets=counts_BxL.sum(),
        z=z_loss * jnp.sum(jnp.square(log_z_BxL), where=counts_BxL) if z_loss else 0.0,
        penalty=penalty,
    )


def counted_targets(tokens_BxT: jax.Array, vocab_size: int) -> jax.Array:
    """Which of the targets, BxL, are in the loss: those that are not PAD."""
    return tokens_BxT[:, 1:] != vocab_size - 1


def target_logs(
    model: Transformer, x_BxLxD: jax.Array, target_BxL: jax.Array, vocab_size: int
) -> tuple[jax.Array, jax.Array]:
    """log p of each target and log Z over the first `vocab_size` logits, BxL, float32, from what
    `model.hidden` gives; where they are more than LOGITS_AT_ONCE on a device, for some positions at a time.
    """
    batch, length = target_BxL.shape
    chunks = _chunks(batch, length, vocab_size)

    def logs(x_BxCxD, target_BxC):
        return log_softmax_at(model.logits(x_BxCxD)[..., :vocab_size], target_BxC)

    if chunks == 1:
        return logs(x_BxLxD, target_BxL)

    # A chunk is every chunks-th position: neighbours would be on few devices where the mesh splits positions.
    padding = -length % chunks

    def split(x):
        x = jnp.pad(x, ((0, 0), (0, padding)) + ((0, 0),) * (x.ndim - 2))
        x = jnp.moveaxis(x.reshape(batch, -1, chunks, *x.shape[2:]), 2, 0)
        return constrain(x, None, "batch", "length", *(None,) * (x.ndim - 3))

    again = jax.checkpoint(logs)
    logs_MxBxC = jax.lax.map(lambda chunk: again(*chunk), (split(x_BxLxD), split(target_BxL)))
    return tuple(jnp.moveaxis(log, 0, 2).reshape(batch, -1)[:, :length] for log in logs_MxBxC)


def log_softmax_at(logits_BxLxV: jax.Array, target_BxL: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log p of each target and log Z, the log of the sum of exp(logits); both BxL."""
    log_z_BxL = jax.nn.logsumexp(logits_BxLxV, axis=-1)
    chosen_BxL = jnp.take_along_axis(logits_BxLxV, target_BxL[..., None], axis=-1)[..., 0]
    return chosen_BxL - log_z_BxL, log_z_BxL


def _chunks(batch: int, length: int, vocabulary: int) -> int:
    """In how many parts the positions are taken, so that a device has few enough logits at once."""
    shape, mesh = (batch, length, vocabulary), jax.sharding.get_abstract_mesh()
    if not mesh.empty:
        spec = partition_spec(("batch", "length", "vocab"), shape, mesh)
        shape = NamedSharding(mesh, spec).shard_shape(shape)
    return min(-(-math.prod(shape) // LOGITS_AT_ONCE), length)
