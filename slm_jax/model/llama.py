"""Weights to and from Hugging Face's Llama layout (`LlamaForCausalLM`)."""

import math
import os
import pathlib

import numpy as np
import safetensors.numpy

from slm_jax.errors import InputError
from slm_jax.files import atomic_path, write_json
from slm_jax.model.config import TransformerConfig
from slm_jax.model.transformer import Transformer

WEIGHTS, CONFIG = "model.safetensors", "config.json"

# Hugging Face's name of a layer's weight: ours, and how many of its axes are inputs (0: a vector).
LAYER_WEIGHTS = {
    "input_layernorm": ("attention_norm_NxD", 0),
    "self_attn.q_proj": ("query_NxDxHxK", 1),
    "self_attn.k_proj": ("key_NxDxHxK", 1),
    "self_attn.v_proj": ("value_NxDxHxK", 1),
    "self_attn.o_proj": ("out_NxHxKxD", 2),
    "post_attention_layernorm": ("mlp_norm_NxD", 0),
    "mlp.gate_proj": ("gate_NxDxF", 1),
    "mlp.up_proj": ("up_NxDxF", 1),
    "mlp.down_proj": ("down_NxFxD", 1),
}


def to_llama(model: Transformer) -> dict[str, np.ndarray]:
    """The model's weights under LlamaForCausalLM's names and shapes (output x input)."""
    weights = {
        "model.embed_tokens.weight": np.asarray(model.embedding_VxD[...]),
        "model.norm.weight": np.asarray(model.final_norm_D[...]),
    }
    for name, (attribute, inputs) in LAYER_WEIGHTS.items():
        stacked = np.asarray(getattr(model.blocks, attribute)[...])
        for layer, array in enumerate(stacked):
            matrix = array.reshape(math.prod(array.shape[:inputs]), -1).T if inputs else array
            weights[f"model.layers.{layer}.{name}.weight"] = np.ascontiguousarray(matrix)
    return weights


def from_llama(model: Transformer, weights: dict[str, np.ndarray]) -> None:
    """Fills `model` in place from arrays laid out as `to_llama` writes them.

    Raises KeyError for a missing array and ValueError for one of another size.
    """
    model.embedding_VxD[...] = np.asarray(weights["model.embed_tokens.weight"], np.float32)
    model.final_norm_D[...] = np.asarray(weights["model.norm.weight"], np.float32)
    for name, (attribute, inputs) in LAYER_WEIGHTS.items():
        variable = getattr(model.blocks, attribute)
        arrays = (weights[f"model.layers.{layer}.{name}.weight"] for layer in range(model.config.layers))
        stacked = np.stack([array.T if inputs else array for array in arrays])
        variable[...] = stacked.reshape(variable.shape).astype(np.float32)


def llama_config(config: TransformerConfig) -> dict:
    """The same model in the fields of transformers' `LlamaConfig`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "intermediate_size": config.mlp_dim,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }


def save_llama(model: Transformer, directory: str | os.PathLike, *, context: int, eos: int) -> None:
    """Writes `config.json` and `model.safetensors`, which `LlamaForCausalLM.from_pretrained` opens.

    Raises InputError for a folder that holds something else than such a model.
    """
    directory = pathlib.Path(directory)
    if directory.exists() and not {path.name for path in directory.iterdir()} <= {WEIGHTS, CONFIG}:
        raise InputError(f"{directory}: holds something else; give a new folder for the exported model")
    tokens = {"bos_token_id": eos, "eos_token_id": eos, "pad_token_id": model.config.vocab_size - 1}
    description = llama_config(model.config) | tokens | {"max_position_embeddings": context}
    with atomic_path(directory / WEIGHTS) as temporary:
        # save_file would make a file that its owner alone can read.
        temporary.write_bytes(safetensors.numpy.save(to_llama(model), metadata={"format": "pt"}))
    write_json(directory / CONFIG, description)
