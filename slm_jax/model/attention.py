"""Causal attention by backend; every backend computes what `reference` computes.

Shapes throughout: B sequences, L positions, H heads, K head size.
"""

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 128


def causal_attention(
    q_BxLxHxK: jax.Array, k_BxLxHxK: jax.Array, v_BxLxHxK: jax.Array, backend: str
) -> jax.Array:
    """softmax(q k^T / sqrt(K)) v over the positions not after the query's; returns BxLxHxK.

    `backend` is one of `model.config.ATTENTION_BACKENDS`. Softmax statistics are float32 in all of them.
    """
    if backend == "auto":
        on_gpu = jax.default_backend() == "gpu" and q_BxLxHxK.dtype == jnp.bfloat16
        backend = "cudnn" if on_gpu else "blockwise"
    return BACKENDS[backend](q_BxLxHxK, k_BxLxHxK, v_BxLxHxK)


def _reference(q_BxLxHxK, k_BxLxHxK, v_BxLxHxK):
    return _attend(q_BxLxHxK, k_BxLxHxK, v_BxLxHxK, first_query=0)


def _blockwise(q_BxLxHxK, k_BxLxHxK, v_BxLxHxK):
    """Skips the keys after each block of queries: half the work of the full square, and less in cache."""
    length = q_BxLxHxK.shape[1]
    blocks = [
        _attend(
            q_BxLxHxK[:, i : i + BLOCK], k_BxLxHxK[:, : i + BLOCK], v_BxLxHxK[:, : i + BLOCK], first_query=i
        )
        for i in range(0, length, BLOCK)
    ]
    return jnp.concatenate(blocks, axis=1)


def _cudnn(q_BxLxHxK, k_BxLxHxK, v_BxLxHxK):
    return jax.nn.dot_product_attention(
        q_BxLxHxK, k_BxLxHxK, v_BxLxHxK, is_causal=True, implementation="cudnn"
    )


def _attend(q_BxQxHxK, k_BxSxHxK, v_BxSxHxK, first_query: int):
    queries, keys, head_dim = q_BxQxHxK.shape[1], k_BxSxHxK.shape[1], q_BxQxHxK.shape[-1]
    scores_BxHxQxS = jnp.einsum(
        "bqhk,bshk->bhqs", q_BxQxHxK * head_dim**-0.5, k_BxSxHxK, preferred_element_type=jnp.float32
    )
    visible_QxS = first_query + np.arange(queries)[:, None] >= np.arange(keys)
    weights_BxHxQxS = jax.nn.softmax(jnp.where(visible_QxS, scores_BxHxQxS, -jnp.inf), axis=-1)
    return jnp.einsum("bhqs,bshk->bqhk", weights_BxHxQxS.astype(v_BxSxHxK.dtype), v_BxSxHxK)


BACKENDS = {"reference": _reference, "blockwise": _blockwise, "cudnn": _cudnn}
