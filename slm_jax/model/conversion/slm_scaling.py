"""The native safetensors of the study's own models (`gslm-scaling-*`): a Llama whose rotary positions turn
neighbouring numbers, under the names of the original Llama.
"""

from slm_jax.model.conversion.foreign_config import NUMBER, ForeignConfig
from slm_jax.model.conversion.layout import Layout, Stored, halves_from_pairs

LAYER = "layers.{}."
LAYOUT: Layout = {
    "embedding_VxD": Stored("tok_embeddings.weight"),
    "final_norm_D": Stored("norm.weight"),
    "attention_norm_NxD": Stored(LAYER + "attention_norm.weight"),
    "query_NxDxHxK": Stored(LAYER + "attention.wq.weight", inputs=1, part=halves_from_pairs),
    "key_NxDxHxK": Stored(LAYER + "attention.wk.weight", inputs=1, part=halves_from_pairs),
    "value_NxDxHxK": Stored(LAYER + "attention.wv.weight", inputs=1),
    "out_NxHxKxD": Stored(LAYER + "attention.wo.weight", inputs=2),
    "mlp_norm_NxD": Stored(LAYER + "ffn_norm.weight"),
    "gate_NxDxF": Stored(LAYER + "feed_forward.w1.weight", inputs=1),
    "up_NxDxF": Stored(LAYER + "feed_forward.w3.weight", inputs=1),
    "down_NxFxD": Stored(LAYER + "feed_forward.w2.weight", inputs=1),
}
CONTEXT = ("block_size", int, 2048)


def read_fields(source: ForeignConfig) -> dict[str, object]:
    """The fields of a TransformerConfig from `model_args`; the output is always the embedding."""
    source.check("prefix_vocab_size")
    return {
        "vocab_size": source.take("vocab_size", int),
        "layers": source.take("n_layers", int),
        "dim": source.take("dim", int),
        "heads": source.take("n_heads", int),
        "kv_heads": source.take("n_kv_heads", int, 0),
        "mlp_size": source.take("hidden_dim", int, 0),
        "mlp_multiple": source.take("multiple_of", int, 256),
        "norm_eps": float(source.take("norm_eps", NUMBER, 1e-5)),
    }
