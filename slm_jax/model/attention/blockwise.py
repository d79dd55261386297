"""Attention in plain XLA, block by block, with a backward pass that keeps no scores.

The forward pass saves its result and the log of each softmax's denominator, from which the backward pass
makes the weights again (Dao et al. 2022, section 3.1); neither computes the blocks after the diagonal.

Shapes: N is B x G, the sequences' heads of keys; R the rows of one such head, queries of Q positions in
order, at each those of the H / G heads that share the keys, and so products need no copies of them.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from slm_jax.model.attention.visible import visible

BLOCK = 128
MASKED = -1e30  # finite, so that no difference of scores is ever NaN


def blockwise(q_BxQxHxK, k_BxSxGxK, v_BxSxGxK, segment_BxS=None):
    """Attention of the last Q of S positions; returns BxQxHxK."""
    heads, key_heads = q_BxQxHxK.shape[2], k_BxSxGxK.shape[2]
    segment_NxS = None if segment_BxS is None else jnp.repeat(segment_BxS, key_heads, axis=0)
    query_NxRxK = _by_head(q_BxQxHxK * q_BxQxHxK.shape[3] ** -0.5, key_heads)
    key_NxSxK, value_NxSxK = _by_head(k_BxSxGxK, key_heads), _by_head(v_BxSxGxK, key_heads)
    out_NxRxK = _attend(query_NxRxK, key_NxSxK, value_NxSxK, segment_NxS, heads // key_heads)
    batch, queries, _, size = q_BxQxHxK.shape
    out_BxGxQxRxK = out_NxRxK.reshape(batch, key_heads, queries, -1, size)
    return out_BxGxQxRxK.swapaxes(1, 2).reshape(q_BxQxHxK.shape)


def _by_head(x_BxLxHxK: jax.Array, key_heads: int) -> jax.Array:
    batch, length, _, size = x_BxLxHxK.shape
    x_BxLxGxRxK = x_BxLxHxK.reshape(batch, length, key_heads, -1, size)
    return x_BxLxGxRxK.swapaxes(1, 2).reshape(batch * key_heads, -1, size)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _attend(query_NxRxK, key_NxSxK, value_NxSxK, segment_NxS, sharing: int):
    return _forward(query_NxRxK, key_NxSxK, value_NxSxK, segment_NxS, sharing)[0]


def _forward(query_NxRxK, key_NxSxK, value_NxSxK, segment_NxS, sharing: int):
    inputs = query_NxRxK, key_NxSxK, value_NxSxK, segment_NxS
    out_NxRxK, log_total_NxR = _each_head(functools.partial(_forward_head, sharing=sharing), inputs)
    return out_NxRxK, (*inputs, out_NxRxK, log_total_NxR)


def _backward(sharing: int, saved, gradient_NxRxK):
    gradients = _each_head(functools.partial(_backward_head, sharing=sharing), (*saved, gradient_NxRxK))
    return *gradients, None


_attend.defvjp(_forward, _backward)


def _each_head(attend: Callable, arrays: tuple) -> tuple:
    """One after another on CPU, where a block of one head's scores so stays in cache; elsewhere together, as
    a block of one head leaves most of an accelerator idle.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda head: attend(*head), arrays)
    return jax.vmap(attend)(*arrays)


def _forward_head(query_RxK, key_SxK, value_SxK, segment_S, sharing: int):
    """Block by block of queries, over all the keys that it sees."""
    rows, before = len(query_RxK), len(key_SxK) - len(query_RxK) // sharing
    outs, log_totals = [], []
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        keys = before + (stop - 1) // sharing + 1
        scores_RxS = _product(query_RxK[start:stop], key_SxK[:keys].T)
        scores_RxS = jnp.where(_visible(start, stop, 0, keys, before, sharing, segment_S), scores_RxS, MASKED)
        largest_Rx1 = scores_RxS.max(axis=-1, keepdims=True)
        weights_RxS = jnp.exp(scores_RxS - largest_Rx1)
        total_Rx1 = weights_RxS.sum(axis=-1, keepdims=True)
        # Normalizing the sums over keys instead of the weights saves a pass over the largest array.
        summed_RxK = weights_RxS.astype(value_SxK.dtype) @ value_SxK[:keys]
        outs.append((summed_RxK / total_Rx1).astype(query_RxK.dtype))
        log_totals.append((largest_Rx1 + jnp.log(total_Rx1))[:, 0])
    return jnp.concatenate(outs), jnp.concatenate(log_totals)


def _backward_head(
    query_RxK, key_SxK, value_SxK, segment_S, out_RxK, log_total_R, gradient_RxK, sharing: int
):
    """Block by block of keys, over all the queries that see it (Dao et al. 2022, appendix B.2).

    Weights are SxR, keys first, and what they are made of is transposed once: then no product is of a
    transposed block, of which XLA makes products on CPU at half the speed.
    """
    rows, keys = len(query_RxK), len(key_SxK)
    before = keys - rows // sharing
    dtype = query_RxK.dtype
    centre_R = jnp.sum((out_RxK * gradient_RxK).astype(jnp.float32), axis=-1)
    query_KxR, gradient_KxR, key_KxS = query_RxK.T, gradient_RxK.T, key_SxK.T
    query_gradient_KxR = jnp.zeros(query_KxR.shape, jnp.float32)
    key_gradients, value_gradients = [], []
    for start in range(0, keys, BLOCK):
        stop = min(start + BLOCK, keys)
        first = max(start - before, 0) * sharing
        seen_SxR = _visible(first, rows, start, stop, before, sharing, segment_S).T
        scores_SxR = _product(key_SxK[start:stop], query_KxR[:, first:])
        weights_SxR = jnp.where(seen_SxR, jnp.exp(scores_SxR - log_total_R[first:]), 0)
        value_gradients.append(weights_SxR.astype(dtype) @ gradient_RxK[first:])
        slope_SxR = _product(value_SxK[start:stop], gradient_KxR[:, first:]) - centre_R[first:]
        slope_SxR = (weights_SxR * slope_SxR).astype(dtype)
        key_gradients.append(slope_SxR @ query_RxK[first:])
        query_gradient_KxR = query_gradient_KxR.at[:, first:].add(key_KxS[:, start:stop] @ slope_SxR)
    return (
        query_gradient_KxR.T.astype(dtype),
        jnp.concatenate(key_gradients),
        jnp.concatenate(value_gradients),
    )


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.matmul(left, right, preferred_element_type=jnp.float32)


def _visible(start: int, stop: int, first: int, last: int, before: int, sharing: int, segment_S) -> jax.Array:
    """For the rows start..stop and the keys first..last of a head."""
    position_R, key_S = before + jnp.arange(start, stop) // sharing, jnp.arange(first, last)
    segments = () if segment_S is None else (segment_S[position_R], segment_S[first:last])
    return visible(position_R, key_S, *segments)
