"""The layers of the decoder, their parameters stacked."""

import functools

import jax
from flax import nnx

from slm_jax.model.blocks import find_block
from slm_jax.model.cache import KeyValueCache
from slm_jax.model.config import TransformerConfig
from slm_jax.model.experts import declare_experts, experts
from slm_jax.model.mlp import declare_mlp, mlp
from slm_jax.model.norms import NORMS
from slm_jax.model.parameters import LayerStack
from slm_jax.model.self_attention import declare_attention, self_attention


class Layers(nnx.Module):
    """All layers of the decoder; `__call__` is one layer, on a module whose leading axis was sliced away.

    Given a `cache`, the layers read on where they are in it (`generation.generate`).
    """

    def __init__(self, config: TransformerConfig, rngs: nnx.Rngs):
        self.config = config
        self.cache: KeyValueCache | None = nnx.data(None)
        declare = find_block(config.block).declare or declare_parts
        for name, parameter in declare(config, LayerStack(config.layers, rngs)).items():
            setattr(self, name, parameter)

    def __call__(
        self,
        x_BxLxD: jax.Array,
        segment_BxL: jax.Array | None = None,
        position_BxL: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array | None]:
        """The residual stream after the layer, and its balance loss if it has experts."""
        attend = functools.partial(self_attention, self, segment_BxL=segment_BxL, position_BxL=position_BxL)
        return find_block(self.config.block).apply(self, x_BxLxD, attend)

    def attention_norm(self, x_BxLxD: jax.Array) -> jax.Array:
        return apply_norm(self.config, x_BxLxD, self.attention_norm_NxD, self.attention_norm_bias_NxD)

    def mlp_norm(self, x_BxLxD: jax.Array) -> jax.Array:
        return apply_norm(self.config, x_BxLxD, self.mlp_norm_NxD, self.mlp_norm_bias_NxD)

    def mlp(self, x_BxLxD: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        return (experts if self.config.experts else mlp)(self, x_BxLxD)


def declare_parts(config: TransformerConfig, new: LayerStack) -> dict[str, nnx.Param | None]:
    """The parameters of the two norms, the attention and the MLP; None for those the config does without."""
    declare = declare_experts if config.experts else declare_mlp
    biased = config.norm == "layernorm"
    return {
        "attention_norm_NxD": new.ones(config.dim),
        "attention_norm_bias_NxD": new.zeros(config.dim) if biased else None,
        "mlp_norm_NxD": new.ones(config.dim),
        "mlp_norm_bias_NxD": new.zeros(config.dim) if biased else None,
        **declare_attention(config, new),
        **declare(config, new),
    }


def apply_norm(
    config: TransformerConfig, x_BxLxD: jax.Array, scale: nnx.Param, bias: nnx.Param | None
) -> jax.Array:
    """The config's norm with these parameters."""
    return NORMS[config.norm](x_BxLxD, scale[...], None if bias is None else bias[...], config.norm_eps)
