"""From waveform to hidden state 0: the input of the first Transformer layer."""

import jax
import jax.numpy as jnp
from flax import nnx

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.convolutions import ConvolutionalFeatures
from slm_jax.tokenizer.hubert.layers import LayerNorm, Linear
from slm_jax.tokenizer.hubert.transformer import PositionalConvolution
from slm_jax.weights import Weights


class Frontend(nnx.Module):
    """Convolutional features, projected to the width of the Transformer, with positions added."""

    def __init__(self, config: HubertConfig, weights: Weights, dtype: jnp.dtype):
        channels, width, eps = config.conv_dim[-1], config.hidden_size, config.layer_norm_eps
        self.features = ConvolutionalFeatures(config, weights, dtype)
        self.feature_norm = (
            LayerNorm(weights, "feature_projection.layer_norm", channels, eps)
            if config.feat_proj_layer_norm
            else None
        )
        self.projection = Linear(weights, "feature_projection.projection", channels, width, dtype)
        self.positions = PositionalConvolution(config, weights, dtype)
        self.norm = (
            None if config.do_stable_layer_norm else LayerNorm(weights, "encoder.layer_norm", width, eps)
        )

    def __call__(
        self, wave_BxS: jax.Array, frames_B: jax.Array, group_norm_Bx2xC: jax.Array | None
    ) -> jax.Array:
        """hidden_BxTxD; only the first `frames_B` frames of a row hold anything.

        What follows the samples of those frames in `wave_BxS` moves none of them.
        """
        x_BxTxC = self.features(wave_BxS, group_norm_Bx2xC)
        if self.feature_norm is not None:
            x_BxTxC = self.feature_norm(x_BxTxC)
        x_BxTxD = self.projection(x_BxTxC)
        valid_BxT = jnp.arange(x_BxTxD.shape[1]) < frames_B[:, None]
        x_BxTxD = jnp.where(valid_BxT[..., None], x_BxTxD, 0)
        x_BxTxD += self.positions(x_BxTxD)
        return x_BxTxD if self.norm is None else self.norm(x_BxTxD)
