"""Causal attention by backend; every backend computes what `reference` computes.

Shapes throughout: B sequences, S positions, of which the last Q are asked for; H heads of queries, K head
size; G heads of keys and values, each of which H / G consecutive heads of queries share.
"""

import jax
import jax.numpy as jnp

from slm_jax.model.attention.blockwise import blockwise
from slm_jax.model.attention.library import cudnn, reference
from slm_jax.model.attention.over_mesh import over_mesh
from slm_jax.model.attention.splash import splash

CUDNN_HEAD_MULTIPLE = 8  # of head sizes that it takes
BACKENDS = {"reference": reference, "blockwise": blockwise, "cudnn": cudnn, "splash": splash}


def causal_attention(
    q_BxLxHxK: jax.Array,
    k_BxLxGxK: jax.Array,
    v_BxLxGxK: jax.Array,
    backend: str,
    segment_BxL: jax.Array | None = None,
) -> jax.Array:
    """softmax(q k^T / sqrt(K)) v over the positions not after the query's; returns BxLxHxK.

    With segments, a query sees the keys of its own segment and those of segment 0, a prefix that all share.
    `backend` is one of `model.config.CHOICES["attention"]`. Softmax statistics are float32 in all of them.
    Sequences, heads and positions are split over the mesh in context as `sharding.RULES` says.
    """
    attend = BACKENDS[default_backend(q_BxLxHxK.dtype, q_BxLxHxK.shape[-1]) if backend == "auto" else backend]
    return over_mesh(attend, q_BxLxHxK, k_BxLxGxK, v_BxLxGxK, segment_BxL)


def default_backend(dtype: jnp.dtype, head_size: int) -> str:
    """What "auto" is on this machine."""
    platform = jax.default_backend()
    if platform == "gpu" and dtype == jnp.bfloat16 and head_size % CUDNN_HEAD_MULTIPLE == 0:
        return "cudnn"
    return "splash" if platform == "tpu" else "blockwise"
