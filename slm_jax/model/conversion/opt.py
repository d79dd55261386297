"""OPT (`OPTForCausalLM`), which TWIST's smaller models start from."""

from slm_jax.model.conversion.foreign_config import ForeignConfig
from slm_jax.model.conversion.layout import Layout, Stored
from slm_jax.model.sizes import ARCHITECTURES

LAYER = "model.decoder.layers.{}."
UNUSED_POSITIONS = 2  # the table begins with rows that no token of an unpadded sequence has

LAYOUT: Layout = {
    "embedding_VxD": Stored("model.decoder.embed_tokens.weight"),
    "output_VxD": Stored("lm_head.weight"),
    "positions_PxD": Stored(
        "model.decoder.embed_positions.weight",
        rows=lambda ours: ours + UNUSED_POSITIONS,
        part=lambda _, table: table[UNUSED_POSITIONS:],
    ),
    "project_in_ExD": Stored("model.decoder.project_in.weight", inputs=1),
    "project_out_DxE": Stored("model.decoder.project_out.weight", inputs=1),
    "final_norm_D": Stored("model.decoder.final_layer_norm.weight"),
    "final_norm_bias_D": Stored("model.decoder.final_layer_norm.bias"),
    "attention_norm_NxD": Stored(LAYER + "self_attn_layer_norm.weight"),
    "attention_norm_bias_NxD": Stored(LAYER + "self_attn_layer_norm.bias"),
    "query_NxDxHxK": Stored(LAYER + "self_attn.q_proj.weight", inputs=1),
    "query_bias_NxHK": Stored(LAYER + "self_attn.q_proj.bias"),
    "key_NxDxHxK": Stored(LAYER + "self_attn.k_proj.weight", inputs=1),
    "key_bias_NxHK": Stored(LAYER + "self_attn.k_proj.bias"),
    "value_NxDxHxK": Stored(LAYER + "self_attn.v_proj.weight", inputs=1),
    "value_bias_NxHK": Stored(LAYER + "self_attn.v_proj.bias"),
    "out_NxHxKxD": Stored(LAYER + "self_attn.out_proj.weight", inputs=2),
    "out_bias_NxD": Stored(LAYER + "self_attn.out_proj.bias"),
    "mlp_norm_NxD": Stored(LAYER + "final_layer_norm.weight"),
    "mlp_norm_bias_NxD": Stored(LAYER + "final_layer_norm.bias"),
    "up_NxDxF": Stored(LAYER + "fc1.weight", inputs=1),
    "up_bias_NxF": Stored(LAYER + "fc1.bias"),
    "down_NxFxD": Stored(LAYER + "fc2.weight", inputs=1),
    "down_bias_NxD": Stored(LAYER + "fc2.bias"),
}
CONTEXT = ("max_position_embeddings", int, 2048)


def read_fields(source: ForeignConfig) -> dict[str, object]:
    """The fields of a TransformerConfig from those of transformers' `OPTConfig`, with its defaults."""
    source.check("activation_function", "relu", "gelu")
    source.check("_remove_final_layer_norm", False)
    source.check("layer_norm_elementwise_affine", True)
    biased = source.take("enable_bias", bool, True)
    dim = source.take("hidden_size", int)
    width = source.take("word_embed_proj_dim", int, dim)
    return ARCHITECTURES["opt"] | {
        "vocab_size": source.take("vocab_size", int),
        "layers": source.take("num_hidden_layers", int),
        "dim": dim,
        "heads": source.take("num_attention_heads", int),
        "mlp_size": source.take("ffn_dim", int),
        "embedding_size": width if width != dim else 0,
        "block": "sequential" if source.take("do_layer_norm_before", bool, True) else "post_norm",
        "mlp": source.take("activation_function", str, "relu"),
        "mlp_bias": biased,
        "attention_bias": "all" if biased else "none",
        "max_positions": source.take(*CONTEXT),
        "tied": source.take("tie_word_embeddings", bool, True),
    }
