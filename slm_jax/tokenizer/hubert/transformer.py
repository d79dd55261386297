"""The Transformer of HuBERT: full attention, layer norm before (`do_stable_layer_norm`) or after each part.

Shapes: B recordings, T frames, D model width, H heads, K head size.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.layers import ACTIVATIONS, LayerNorm, Linear
from slm_jax.tokenizer.hubert.weights import Weights

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

    def __call__(self, x_BxTxD: jax.Array, valid_BxT: jax.Array) -> jax.Array:
        if self.stable:
            x_BxTxD += self._attention(self.attention_norm(x_BxTxD), valid_BxT)
            return x_BxTxD + self._feed_forward(self.final_norm(x_BxTxD))
        x_BxTxD = self.attention_norm(x_BxTxD + self._attention(x_BxTxD, valid_BxT))
        return self.final_norm(x_BxTxD + self._feed_forward(x_BxTxD))

    def _attention(self, x_BxTxD: jax.Array, valid_BxT: jax.Array) -> jax.Array:
        batch, length, width = x_BxTxD.shape
        query, key, value = (
            linear(x_BxTxD).reshape(batch, length, self.heads, -1)
            for linear in (self.query, self.key, self.value)
        )
        query = query * np.asarray((width // self.heads) ** -0.5, query.dtype)
        scores_BxHxTxT = jnp.einsum("bqhk,bthk->bhqt", query, key, preferred_element_type=jnp.float32)
        scores_BxHxTxT = jnp.where(valid_BxT[:, None, None], scores_BxHxTxT, -jnp.inf)
        shares_BxHxTxT = nnx.softmax(scores_BxHxTxT).astype(x_BxTxD.dtype)
        attended_BxTxHxK = jnp.einsum("bhqt,bthk->bqhk", shares_BxHxTxT, value)
        return self.out(attended_BxTxHxK.reshape(batch, length, width))

    def _feed_forward(self, x_BxTxD: jax.Array) -> jax.Array:
        return self.down(self.activation(self.up(x_BxTxD)))
