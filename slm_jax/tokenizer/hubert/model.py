"""HuBERT from waveform to the hidden states of one layer."""

import jax
import jax.numpy as jnp
from flax import nnx

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.convolutions import ConvolutionalFeatures
from slm_jax.tokenizer.hubert.layers import LayerNorm, Linear
from slm_jax.tokenizer.hubert.transformer import Layer, PositionalConvolution
from slm_jax.tokenizer.hubert.weights import Weights


class Hubert(nnx.Module):
    """The convolutions and the first `layer` Transformer layers; nothing after them is read or computed.

    Layers are numbered as transformers' `hidden_states`: 0 is the input of the first layer.
    """

    def __init__(self, config: HubertConfig, weights: Weights, layer: int, dtype: jnp.dtype):
        self.features = ConvolutionalFeatures(config, weights, dtype)
        channels, width, eps = config.conv_dim[-1], config.hidden_size, config.layer_norm_eps
        self.feature_norm = (
            LayerNorm(weights, "feature_projection.layer_norm", channels, eps)
            if config.feat_proj_layer_norm
            else None
        )
        self.projection = Linear(weights, "feature_projection.projection", channels, width, dtype)
        self.positions = PositionalConvolution(config, weights, dtype)
        self.input_norm = (
            None if config.do_stable_layer_norm else LayerNorm(weights, "encoder.layer_norm", width, eps)
        )
        self.layers = nnx.List(Layer(config, weights, index, dtype) for index in range(layer))

    def __call__(
        self, wave_BxS: jax.Array, frames_B: jax.Array, group_norm_2xBxC: jax.Array | None
    ) -> jax.Array:
        """hidden_BxTxD, float32; only the first `frames_B` frames of a row hold anything.

        What follows the samples of those frames in `wave_BxS` moves none of them.
        """
        features_BxTxC = self.features(wave_BxS, group_norm_2xBxC)
        if self.feature_norm is not None:
            features_BxTxC = self.feature_norm(features_BxTxC)
        x_BxTxD = self.projection(features_BxTxC)
        valid_BxT = jnp.arange(x_BxTxD.shape[1]) < frames_B[:, None]
        x_BxTxD = jnp.where(valid_BxT[..., None], x_BxTxD, 0)
        x_BxTxD += self.positions(x_BxTxD)
        if self.input_norm is not None:
            x_BxTxD = self.input_norm(x_BxTxD)
        for layer in self.layers:
            x_BxTxD = layer(x_BxTxD, valid_BxT)
        return x_BxTxD.astype(jnp.float32)
