"""GPT-NeoX (`GPTNeoXForCausalLM`), the Pythia suite's architecture."""

from collections.abc import Callable

import numpy as np

from slm_jax.model.config import TransformerConfig
from slm_jax.model.conversion.foreign_config import NUMBER, ForeignConfig
from slm_jax.model.conversion.layout import Layout, Stored
from slm_jax.model.sizes import ARCHITECTURES

LAYER = "gpt_neox.layers.{}."


def _third(index: int) -> Callable[[TransformerConfig, np.ndarray], np.ndarray]:
    """Queries (0), keys (1) or values (2) of a fused tensor, which has them head by head."""

    def part(config: TransformerConfig, fused: np.ndarray) -> np.ndarray:
        by_head = fused.reshape(config.heads, 3, config.head_dim, *fused.shape[1:])
        return by_head[:, index].reshape(-1, *fused.shape[1:])

    return part


def _fused(index: int, kind: str, inputs: int = 0) -> Stored:
    name = LAYER + f"attention.query_key_value.{kind}"
    return Stored(name, inputs, rows=lambda ours: 3 * ours, part=_third(index))


LAYOUT: Layout = {
    "embedding_VxD": Stored("gpt_neox.embed_in.weight"),
    "output_VxD": Stored("embed_out.weight"),
    "final_norm_D": Stored("gpt_neox.final_layer_norm.weight"),
    "final_norm_bias_D": Stored("gpt_neox.final_layer_norm.bias"),
    "attention_norm_NxD": Stored(LAYER + "input_layernorm.weight"),
    "attention_norm_bias_NxD": Stored(LAYER + "input_layernorm.bias"),
    "query_NxDxHxK": _fused(0, "weight", inputs=1),
    "query_bias_NxHK": _fused(0, "bias"),
    "key_NxDxHxK": _fused(1, "weight", inputs=1),
    "key_bias_NxHK": _fused(1, "bias"),
    "value_NxDxHxK": _fused(2, "weight", inputs=1),
    "value_bias_NxHK": _fused(2, "bias"),
    "out_NxHxKxD": Stored(LAYER + "attention.dense.weight", inputs=2),
    "out_bias_NxD": Stored(LAYER + "attention.dense.bias"),
    "mlp_norm_NxD": Stored(LAYER + "post_attention_layernorm.weight"),
    "mlp_norm_bias_NxD": Stored(LAYER + "post_attention_layernorm.bias"),
    "up_NxDxF": Stored(LAYER + "mlp.dense_h_to_4h.weight", inputs=1),
    "up_bias_NxF": Stored(LAYER + "mlp.dense_h_to_4h.bias"),
    "down_NxFxD": Stored(LAYER + "mlp.dense_4h_to_h.weight", inputs=1),
    "down_bias_NxD": Stored(LAYER + "mlp.dense_4h_to_h.bias"),
}
CONTEXT = ("max_position_embeddings", int, 2048)


def read_fields(source: ForeignConfig) -> dict[str, object]:
    """The fields of a TransformerConfig from those of transformers' `GPTNeoXConfig`, with its defaults."""
    source.check("hidden_act", "gelu")
    rotary = source.inside("rope_parameters", {})
    fraction = rotary.take("partial_rotary_factor", NUMBER, source.take("rotary_pct", NUMBER, 0.25))
    return ARCHITECTURES["pythia"] | {
        "vocab_size": source.take("vocab_size", int),
        "layers": source.take("num_hidden_layers", int),
        "dim": source.take("hidden_size", int),
        "heads": source.take("num_attention_heads", int),
        "mlp_size": source.take("intermediate_size", int),
        "norm_eps": float(source.take("layer_norm_eps", NUMBER, 1e-5)),
        "rope_theta": source.rope_theta(source.take("rotary_emb_base", NUMBER, 10_000.0)),
        "rotary_fraction": float(fraction),
        "block": "parallel" if source.take("use_parallel_residual", bool, True) else "sequential",
        "attention_bias": "all" if source.take("attention_bias", bool, True) else "none",
        "tied": source.take("tie_word_embeddings", bool, False),
    }
