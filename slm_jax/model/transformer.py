"""The decoder: tokens to logits, its layers applied by one scan.

Shapes: B sequences, L positions, D model width, V vocabulary, P learned positions; E is the width of the
embedding where it is not D.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slm_jax.errors import InputError
from slm_jax.model.blocks import find_block
from slm_jax.model.config import TransformerConfig
from slm_jax.model.layers import Layers, apply_norm
from slm_jax.model.linear import LINEAR
from slm_jax.model.parameters import constant, normal
from slm_jax.model.sharding import constrain

CPU_UNROLL = 8
UNPREDICTED = -1e30  # a logit whose probability is 0, and finite so that no gradient is NaN
# What the backward pass finds in memory; the rest it computes again (Chen et al. 2016).
KEPT = {
    "dots": jax.checkpoint_policies.save_from_both_policies(
        jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
        jax.checkpoint_policies.save_only_these_names(LINEAR),
    ),
    "full": jax.checkpoint_policies.nothing_saveable,
}


class Transformer(nnx.Module):
    """Tokens to next-token logits."""

    def __init__(self, config: TransformerConfig, rngs: nnx.Rngs):
        self.config = config
        table, d, e = (config.vocab_size, config.embedding_dim), config.dim, config.embedding_dim
        self.embedding_VxD = normal(rngs, table, ("vocab", "embed"))
        self.blocks = Layers(config, rngs)
        final, biased = find_block(config.block).final_norm, config.norm == "layernorm"
        self.final_norm_D = constant(1.0, (d,), (None,)) if final else None
        self.final_norm_bias_D = constant(0.0, (d,), (None,)) if final and biased else None
        learned, projected = config.positions == "learned", e != d
        self.positions_PxD = normal(rngs, (config.max_positions, d), (None, "embed")) if learned else None
        self.project_in_ExD = normal(rngs, (e, d), (None, "embed")) if projected else None
        self.project_out_DxE = normal(rngs, (d, e), ("embed", None)) if projected else None
        self.output_VxD = None if config.tied else normal(rngs, table, ("vocab", "embed"))

    def __call__(
        self,
        tokens_BxL: jax.Array,
        segment_BxL: jax.Array | None = None,
        position_BxL: jax.Array | None = None,
    ) -> jax.Array:
        """Logits for the token after each position, float32, BxLxV.

        With segments a position sees its own segment and segment 0 (`attention.causal_attention`); positions
        are 0..L-1 unless given. With `document_mask`, unless segments are given, they are the documents of
        each row. Raises InputError for sequences longer than learned positions reach.
        """
        return self.logits(self.hidden(tokens_BxL, segment_BxL, position_BxL)[0])

    def hidden(
        self,
        tokens_BxL: jax.Array,
        segment_BxL: jax.Array | None = None,
        position_BxL: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array | float]:
        """What the last layer gives, BxLxD, and what training adds to the loss: with experts balance_weight
        times their balance loss, a mean over layers; otherwise 0.
        """
        if self.config.document_mask and segment_BxL is None:
            segment_BxL, position_BxL = self._documents(tokens_BxL, position_BxL)
        x_BxLxD = self._embed(tokens_BxL, position_BxL)
        graph, stacked = nnx.split(self.blocks)

        def apply_layer(x_BxLxD, layer):
            block = nnx.merge(graph, layer)
            x_BxLxD, balance = block(x_BxLxD, segment_BxL, position_BxL)
            return constrain(x_BxLxD, "batch", "length", None), (balance, nnx.state(block, nnx.Cache))

        if self.config.remat == "none":
            # XLA runs straight code on CPU about twice as fast as a loop, but takes longer to compile it.
            unroll = min(CPU_UNROLL, self.config.layers) if jax.default_backend() == "cpu" else 1
        else:
            # In straight code its CPU compiler would see that things are computed twice, and keep them.
            apply_layer, unroll = jax.checkpoint(apply_layer, policy=KEPT[self.config.remat]), 1
        x_BxLxD, (balance_N, cache) = jax.lax.scan(apply_layer, x_BxLxD, stacked, unroll=unroll)
        if self.blocks.cache is not None:
            nnx.update(self.blocks, cache)
        penalty = 0.0 if balance_N is None else self.config.balance_weight * balance_N.mean()
        return x_BxLxD, penalty

    def _documents(
        self, tokens_BxL: jax.Array, position_BxL: jax.Array | None
    ) -> tuple[jax.Array, jax.Array | None]:
        """The segments of a stream, counted from 1, each of which EOS opens; and the positions.

        Learned positions start again with each document. Rotary ones need not: only differences matter.
        """
        opens_BxL = tokens_BxL == self.config.vocab_size - 2
        if self.positions_PxD is not None and position_BxL is None:
            place_L = jnp.arange(tokens_BxL.shape[1])
            position_BxL = place_L - jax.lax.cummax(jnp.where(opens_BxL, place_L, 0), axis=1)
        return jnp.cumsum(opens_BxL, axis=1) + 1, position_BxL

    def _embed(self, tokens_BxL: jax.Array, position_BxL: jax.Array | None) -> jax.Array:
        """The first layer's input, in the compute type."""
        # Looked up in a whole table: a lookup in one split over devices is laid out badly. And in float32, as
        # its gradient is a sum over tokens, which loses most of those of a frequent one in bfloat16.
        x_BxLxD = constrain(self.embedding_VxD[...], None, None)[tokens_BxL].astype(self.compute_dtype)
        x_BxLxD = constrain(x_BxLxD, "batch", "length", None)
        if self.project_in_ExD is not None:
            x_BxLxD = x_BxLxD @ self.project_in_ExD[...].astype(x_BxLxD.dtype)
        if self.positions_PxD is not None:
            length, reach = tokens_BxL.shape[1], self.config.max_positions
            if length > reach:
                raise InputError(
                    f"model.max_positions is {reach}, but a sequence has {length} tokens: give shorter "
                    "sequences or, to train a new model, more positions"
                )
            which = slice(length) if position_BxL is None else position_BxL
            x_BxLxD = (x_BxLxD + self.positions_PxD[which]).astype(x_BxLxD.dtype)  # float32, for the same sum
        return x_BxLxD

    def logits(self, x_BxLxD: jax.Array) -> jax.Array:
        """Of what `hidden` gives: BxLxV, float32."""
        if self.final_norm_D is not None:
            x_BxLxD = apply_norm(self.config, x_BxLxD, self.final_norm_D, self.final_norm_bias_D)
        if self.project_out_DxE is not None:
            x_BxLxD = x_BxLxD @ self.project_out_DxE[...].astype(x_BxLxD.dtype)
        output_VxD = self.embedding_VxD if self.output_VxD is None else self.output_VxD
        logits_BxLxV = jnp.einsum(
            "bld,vd->blv", x_BxLxD, output_VxD[...].astype(x_BxLxD.dtype), preferred_element_type=jnp.float32
        )
        if self.config.unused:
            logits_BxLxV = logits_BxLxV.at[..., np.asarray(self.config.unused)].set(UNPREDICTED)
        return logits_BxLxV

    @property
    def compute_dtype(self) -> jnp.dtype:
        if self.config.dtype == "auto":
            return jnp.dtype("float32" if jax.default_backend() == "cpu" else "bfloat16")
        return jnp.dtype(self.config.dtype)


@functools.cache
def count_parameters(config: TransformerConfig) -> int:
    """N: trainable parameters, a tied embedding counted once; nothing is allocated."""
    return sum(math.prod(variable.shape) for variable in _variables(config))


@functools.cache
def count_active_parameters(config: TransformerConfig) -> int:
    """The N of 6 N D: parameters that work on a token, which leaves out the experts it is not given to."""
    active = 0
    for variable in _variables(config):
        size = math.prod(variable.shape)
        active += size * config.experts_per_token // config.experts if "expert" in variable.axes else size
    return active


def _variables(config: TransformerConfig) -> list[nnx.Variable]:
    shapes = nnx.eval_shape(lambda: nnx.state(Transformer(config, nnx.Rngs(0))))
    return jax.tree.leaves(shapes, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
