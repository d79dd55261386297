"""The backends of `jax.nn`: the plain reference, and cuDNN's flash attention on GPU."""

import jax
import jax.numpy as jnp

from slm_jax.model.attention.visible import visible


def reference(q_BxQxHxK, k_BxSxGxK, v_BxSxGxK, segment_BxS=None):
    """All scores at once, in XLA."""
    mask = _mask(q_BxQxHxK.shape[1], k_BxSxGxK.shape[1], segment_BxS)
    return jax.nn.dot_product_attention(q_BxQxHxK, k_BxSxGxK, v_BxSxGxK, mask=mask, implementation="xla")


def cudnn(q_BxQxHxK, k_BxSxGxK, v_BxSxGxK, segment_BxS=None, *, implementation: str = "cudnn"):
    """cuDNN (16-bit types only), which leaves out the keys after a query where no other mask is needed.

    Its own segments are offsets into a padded batch, so that segments here are a mask of Q x S. JAX has its
    backward pass for even Q and S only. `implementation` "xla" runs the same on a CPU, for tests.
    """
    queries, keys = q_BxQxHxK.shape[1], k_BxSxGxK.shape[1]
    query, key, value = (_even(x, axis=1) for x in (q_BxQxHxK, k_BxSxGxK, v_BxSxGxK))
    plain, mask_Bx1xQxS = segment_BxS is None and queries == keys, None
    if not plain:
        # Nothing sees a key that is padding; a query that is sees what the last one does, as it must see one.
        mask_Bx1xQxS = _even(_even(_mask(queries, keys, segment_BxS), axis=2, mode="edge"), axis=3)
    out_BxQxHxK = jax.nn.dot_product_attention(
        query, key, value, mask=mask_Bx1xQxS, is_causal=plain, implementation=implementation
    )
    return out_BxQxHxK[:, :queries]


def _even(x: jax.Array, axis: int, mode: str = "constant") -> jax.Array:
    """Padded by one (by False or 0, or as `mode` says) where the axis is of odd size."""
    widths = [(0, size % 2 if axis == at else 0) for at, size in enumerate(x.shape)]
    return jnp.pad(x, widths, mode=mode)


def _mask(queries: int, keys: int, segment_BxS: jax.Array | None) -> jax.Array:
    """Of shape Bx1xQxS, or 1x1xQxS without segments."""
    position_1xS = jnp.arange(keys)[None]
    last = slice(keys - queries, None)
    segments = () if segment_BxS is None else (segment_BxS[:, last], segment_BxS)
    return visible(position_1xS[:, last], position_1xS, *segments)[:, None]
