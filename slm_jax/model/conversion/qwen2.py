"""Qwen2 and Qwen2.5 (`Qwen2ForCausalLM`), which Slam starts from: a Llama with biases before attention."""

from slm_jax.model.conversion.foreign_config import ForeignConfig
from slm_jax.model.conversion.llama import LAYOUT, common_fields

__all__ = ["CONTEXT", "LAYOUT", "read_fields"]

CONTEXT = ("max_position_embeddings", int, 32_768)


def read_fields(source: ForeignConfig) -> dict[str, object]:
    """The fields of a TransformerConfig from those of transformers' `Qwen2Config`, with its defaults."""
    source.check("use_sliding_window", False)
    return common_fields(source) | {"attention_bias": "qkv"}
