"""The convolutional features of HuBERT: strided convolutions from samples to frames, nothing padded.

Shapes: B recordings, S samples, T frames, C channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.layers import ACTIVATIONS, NORM_EPS, LayerNorm
from slm_jax.weights import Weights

NAME = "feature_extractor.conv_layers"
MOMENTS_WINDOWS = 2**17  # whose moments are taken at once: 10 MB, more than a chunk of 30 s has
BLOCK_FRAMES = 32  # whose channels stay in the cache, however long the recording


class Convolution(nnx.Module):
    """One strided convolution as matrix products: XLA's own convolution is slower on CPU."""

    def __init__(self, config: HubertConfig, weights: Weights, index: int, dtype: jnp.dtype):
        inputs = config.conv_dim[index - 1] if index else 1
        outputs, kernel = config.conv_dim[index], config.conv_kernel[index]
        self.stride = config.conv_stride[index]
        weight_OxIxK = weights.take(f"{NAME}.{index}.conv.weight", outputs, inputs, kernel)
        self.weight_KxIxO = nnx.Param(jnp.asarray(weight_OxIxK.transpose(2, 1, 0), dtype))
        self.bias_O = (
            nnx.Param(jnp.asarray(weights.take(f"{NAME}.{index}.conv.bias", outputs), dtype))
            if config.conv_bias
            else None
        )

    def __call__(self, x_BxTxC: jax.Array) -> jax.Array:
        kernel, channels, outputs = self.weight_KxIxO.shape
        batch, length, _ = x_BxTxC.shape
        frames = (length - kernel) // self.stride + 1
        rows = -(-kernel // self.stride)  # a window spans so many rows of `stride` samples
        needed = (frames - 1 + rows) * self.stride
        x_BxTxC = jnp.pad(x_BxTxC[:, :needed], ((0, 0), (0, max(0, needed - length)), (0, 0)))
        rows_BxRxD = x_BxTxC.reshape(batch, -1, self.stride * channels)
        shifted = [rows_BxRxD[:, row : row + frames] for row in range(rows)]
        windows_BxTxW = jnp.concatenate(shifted, axis=-1)[..., : kernel * channels]
        y_BxTxO = windows_BxTxW @ self.weight_KxIxO[...].reshape(-1, outputs)
        return y_BxTxO if self.bias_O is None else y_BxTxO + self.bias_O[...]


class ConvolutionalFeatures(nnx.Module):
    """Samples to frames of conv_dim[-1] channels."""

    def __init__(self, config: HubertConfig, weights: Weights, dtype: jnp.dtype):
        self.config, self.dtype = config, dtype
        self.activation = ACTIVATIONS[config.feat_extract_activation]
        layers = range(len(config.conv_dim))
        self.convolutions = nnx.List(
            Convolution(config, weights, index, dtype if index else jnp.dtype("float32")) for index in layers
        )
        self.norms = (
            nnx.List(
                LayerNorm(weights, f"{NAME}.{index}.layer_norm", config.conv_dim[index], NORM_EPS)
                for index in layers
            )
            if config.feat_extract_norm == "layer"
            else None
        )

    def __call__(self, wave_BxS: jax.Array, group_norm_Bx2xC: jax.Array | None) -> jax.Array:
        """features_BxTxC of waves whose S samples make T frames; `group_norm` as `GroupNorm` gives it."""
        frames = self.config.frames(wave_BxS.shape[1])
        block = min(BLOCK_FRAMES, frames)
        blocks = -(-frames // block)
        padding = self.config.samples(blocks * block) - wave_BxS.shape[1]
        wave_BxS = jnp.pad(wave_BxS, ((0, 0), (0, padding)))

        def features_of(index):
            start, size = index * block * self.config.stride, self.config.samples(block)
            part_BxS = jax.lax.dynamic_slice_in_dim(wave_BxS, start, size, axis=1)
            return self._block(part_BxS, group_norm_Bx2xC)

        features_NxBxTxC = jax.lax.map(features_of, jnp.arange(blocks))
        features_BxNxTxC = features_NxBxTxC.transpose(1, 0, 2, 3)
        return features_BxNxTxC.reshape(len(wave_BxS), blocks * block, -1)[:, :frames]

    def _block(self, wave_BxS: jax.Array, group_norm_Bx2xC: jax.Array | None) -> jax.Array:
        x_BxTxC = wave_BxS[..., None]
        for index, convolution in enumerate(self.convolutions):
            x_BxTxC = convolution(x_BxTxC)
            if self.norms is not None:
                x_BxTxC = self.norms[index](x_BxTxC)
            elif index == 0:
                scale_BxC, shift_BxC = group_norm_Bx2xC[:, 0], group_norm_Bx2xC[:, 1]
                x_BxTxC = x_BxTxC * scale_BxC[:, None] + shift_BxC[:, None]
            x_BxTxC = self.activation(x_BxTxC).astype(self.dtype)
        return x_BxTxC


class GroupNorm:
    """The group norm after the first convolution, one group a channel, as one scale and shift per recording.

    A channel y_t = w.x_t is linear in the windows x_t of the waveform, so that its mean over time is w.E[x]
    and its variance w.Cov[x].w: no activation is needed, and no padded frame can enter. In float64 on the
    host, for a filter may pass a millionth of the power.
    """

    def __init__(self, config: HubertConfig, weights: Weights):
        channels, self.kernel, self.stride = config.conv_dim[0], config.conv_kernel[0], config.conv_stride[0]
        filters_CxK = weights.take(f"{NAME}.0.conv.weight", channels, 1, self.kernel)[:, 0]
        self._filters_CxK = filters_CxK.astype(np.float64)
        self._bias_C = (
            weights.take(f"{NAME}.0.conv.bias", channels) if config.conv_bias else np.zeros(channels)
        )
        self._gain_C = weights.take(f"{NAME}.0.layer_norm.weight", channels)
        self._offset_C = weights.take(f"{NAME}.0.layer_norm.bias", channels)

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """(scale, shift)_2xC float32, to be applied to the output of the first convolution."""
        windows_TxK = np.lib.stride_tricks.sliding_window_view(wave_S, self.kernel)[:: self.stride]
        blocks = [slice(at, at + MOMENTS_WINDOWS) for at in range(0, len(windows_TxK), MOMENTS_WINDOWS)]
        mean_K = sum(windows_TxK[block].sum(axis=0, dtype=np.float64) for block in blocks) / len(windows_TxK)
        covariance_KxK = np.zeros((self.kernel, self.kernel))
        for block in blocks:
            centred_BxK = windows_TxK[block] - mean_K
            covariance_KxK += centred_BxK.T @ centred_BxK / len(windows_TxK)
        variance_C = ((self._filters_CxK @ covariance_KxK) * self._filters_CxK).sum(axis=1)
        scale_C = self._gain_C / np.sqrt(np.maximum(variance_C, 0) + NORM_EPS)
        shift_C = self._offset_C - scale_C * (self._filters_CxK @ mean_K + self._bias_C)
        return np.stack([scale_C, shift_C]).astype(np.float32)
