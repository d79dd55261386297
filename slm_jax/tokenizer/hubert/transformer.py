"""The Transformer of HuBERT: full attention, layer norm before (`do_stable_layer_norm`) or after each part.

Shapes: B recordings, T frames, D model width, H heads, K head size.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.layers import ACTIVATIONS, LayerNorm, Linear
from slm_jax.weights import Weights

POSITIONS = "encoder.pos_conv_embed.conv"


class PositionalConvolution(nnx.Module):
    """A wide grouped convolution that tells a frame where it is among its neighbours."""

    def __init__(self, config: HubertConfig, weights: Weights, dtype: jnp.dtype):
        self.kernel, self.groups = config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups
        self.activation = ACTIVATIONS[config.feat_extract_activation]
        width = config.hidden_size
        weight_OxIxK = _weight_normed(weights, (width, width // self.groups, self.kernel))
        self.weight_KxIxO = nnx.Param(jnp.asarray(weight_OxIxK.transpose(2, 1, 0), dtype))
        self.bias_D = nnx.Param(jnp.asarray(weights.take(f"{POSITIONS}.bias", width), dtype))

    def __call__(self, x_BxTxD: jax.Array) -> jax.Array:
        positions_BxTxD = jax.lax.conv_general_dilated(
            x_BxTxD,
            self.weight_KxIxO[...],
            window_strides=(1,),
            padding=[(self.kernel // 2, (self.kernel - 1) // 2)],
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=self.groups,
        )
        return self.activation(positions_BxTxD + self.bias_D[...])


def _weight_normed(weights: Weights, shape: tuple[int, int, int]) -> np.ndarray:
    """weight_OxIxK = g_K v / |v|_K (Salimans & Kingma 2016), under PyTorch's new names or its old ones."""
    direction, magnitude = (f"{POSITIONS}.parametrizations.weight.original{part}" for part in (1, 0))
    if direction not in weights:
        direction, magnitude = f"{POSITIONS}.weight_v", f"{POSITIONS}.weight_g"
    direction_OxIxK = weights.take(direction, *shape)
    magnitude_1x1xK = weights.take(magnitude, 1, 1, shape[2])
    return direction_OxIxK * (magnitude_1x1xK / np.sqrt((direction_OxIxK**2).sum((0, 1), keepdims=True)))


def _attend(valid_BxT: jax.Array, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Scaled dot-product attention of one head, BxTxK, to the valid frames; shares in float32."""
    query = query * np.asarray(query.shape[-1] ** -0.5, query.dtype)
    scores_BxTxT = jnp.einsum("bqk,btk->bqt", query, key, preferred_element_type=jnp.float32)
    scores_BxTxT = jnp.where(valid_BxT[:, None], scores_BxTxT, -jnp.inf)
    shares_BxTxT = jnp.exp(scores_BxTxT - scores_BxTxT.max(-1, keepdims=True))
    sum_BxTx1 = shares_BxTxT.sum(-1, keepdims=True)
    attended_BxTxK = jnp.einsum("bqt,btk->bqk", shares_BxTxT.astype(value.dtype), value)
    return (attended_BxTxK / sum_BxTx1).astype(value.dtype)  # not the shares: there are many more of them


def _over_heads(attend: Callable[..., jax.Array], *heads: jax.Array) -> jax.Array:
    """One head after another on CPU, whose cache holds the scores of one; all at once elsewhere."""
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda one: attend(*one), heads)
    return jax.vmap(attend)(*heads)


class Layer(nnx.Module):
    """Attention and feed-forward, each with its residual."""

    def __init__(self, config: HubertConfig, weights: Weights, index: int, dtype: jnp.dtype):
        name, width, hidden = f"encoder.layers.{index}", config.hidden_size, config.intermediate_size
        self.heads, self.stable = config.num_attention_heads, config.do_stable_layer_norm
        self.activation = ACTIVATIONS[config.hidden_act]
        self.query, self.key, self.value, self.out = (
            Linear(weights, f"{name}.attention.{part}_proj", width, width, dtype)
            for part in ("q", "k", "v", "out")
        )
        self.up = Linear(weights, f"{name}.feed_forward.intermediate_dense", width, hidden, dtype)
        self.down = Linear(weights, f"{name}.feed_forward.output_dense", hidden, width, dtype)
        self.attention_norm = LayerNorm(weights, f"{name}.layer_norm", width, config.layer_norm_eps)
        self.final_norm = LayerNorm(weights, f"{name}.final_layer_norm", width, config.layer_norm_eps)

    def __call__(self, x_BxTxD: jax.Array, frames_B: jax.Array) -> jax.Array:
        """The next hidden_BxTxD; only the first `frames_B` frames of a row are attended to."""
        valid_BxT = jnp.arange(x_BxTxD.shape[1]) < frames_B[:, None]
        if self.stable:
            x_BxTxD += self._attention(self.attention_norm(x_BxTxD), valid_BxT)
            return x_BxTxD + self._feed_forward(self.final_norm(x_BxTxD))
        x_BxTxD = self.attention_norm(x_BxTxD + self._attention(x_BxTxD, valid_BxT))
        return self.final_norm(x_BxTxD + self._feed_forward(x_BxTxD))

    def _attention(self, x_BxTxD: jax.Array, valid_BxT: jax.Array) -> jax.Array:
        batch, length, width = x_BxTxD.shape
        heads_HxBxTxK = (
            linear(x_BxTxD).reshape(batch, length, self.heads, -1).transpose(2, 0, 1, 3)
            for linear in (self.query, self.key, self.value)
        )
        attended_HxBxTxK = _over_heads(functools.partial(_attend, valid_BxT), *heads_HxBxTxK)
        return self.out(attended_HxBxTxK.transpose(1, 2, 0, 3).reshape(batch, length, width))

    def _feed_forward(self, x_BxTxD: jax.Array) -> jax.Array:
        return self.down(self.activation(self.up(x_BxTxD)))
