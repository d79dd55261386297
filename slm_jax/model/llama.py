"""Weights to and from Hugging Face's Llama layout (`LlamaForCausalLM`), as NumPy arrays."""

import numpy as np
from flax import nnx

from slm_jax.model.transformer import Transformer

LAYER = "model.layers.{layer}."


def to_llama(model: Transformer) -> dict[str, np.ndarray]:
    """The model's weights under LlamaForCausalLM's names and shapes (output x input)."""
    config = model.config
    wide = config.heads * config.head_dim
    weights = {
        "model.embed_tokens.weight": np.asarray(model.embedding_VxD[...]),
        "model.norm.weight": np.asarray(model.final_norm_D[...]),
    }
    blocks = {name: np.asarray(variable[...]) for name, variable in nnx.state(model.blocks).items()}
    for layer in range(config.layers):
        prefix = LAYER.format(layer=layer)
        block = {name: array[layer] for name, array in blocks.items()}
        weights[prefix + "input_layernorm.weight"] = block["attention_norm_NxD"]
        weights[prefix + "post_attention_layernorm.weight"] = block["mlp_norm_NxD"]
        for index, name in enumerate("qkv"):
            matrix = block["query_key_value_NxDx3xHxK"][:, index].reshape(config.dim, wide)
            weights[f"{prefix}self_attn.{name}_proj.weight"] = matrix.T
        weights[prefix + "self_attn.o_proj.weight"] = (
            block["attention_out_NxHxKxD"].reshape(wide, config.dim).T
        )
        for index, name in enumerate(("gate", "up")):
            weights[f"{prefix}mlp.{name}_proj.weight"] = block["gate_up_NxDx2xF"][:, index].T
        weights[prefix + "mlp.down_proj.weight"] = block["down_NxFxD"].T
    return {name: np.ascontiguousarray(array) for name, array in weights.items()}


def from_llama(model: Transformer, weights: dict[str, np.ndarray]) -> None:
    """Fills `model` in place from arrays laid out as `to_llama` writes them.

    Raises KeyError for a missing array and ValueError for one of another shape.
    """
    config = model.config
    n, d, h, k = config.layers, config.dim, config.heads, config.head_dim

    def stack(name: str) -> np.ndarray:
        return np.stack([weights[LAYER.format(layer=layer) + name + ".weight"] for layer in range(n)])

    arrays = {
        "attention_norm_NxD": stack("input_layernorm"),
        "mlp_norm_NxD": stack("post_attention_layernorm"),
        "query_key_value_NxDx3xHxK": np.stack(
            [stack(f"self_attn.{name}_proj").swapaxes(1, 2).reshape(n, d, h, k) for name in "qkv"], axis=2
        ),
        "attention_out_NxHxKxD": stack("self_attn.o_proj").swapaxes(1, 2).reshape(n, h, k, d),
        "gate_up_NxDx2xF": np.stack(
            [stack(f"mlp.{name}_proj").swapaxes(1, 2) for name in ("gate", "up")], axis=2
        ),
        "down_NxFxD": stack("mlp.down_proj").swapaxes(1, 2),
    }
    targets = [(getattr(model.blocks, name), array) for name, array in arrays.items()]
    targets.append((model.embedding_VxD, weights["model.embed_tokens.weight"]))
    targets.append((model.final_norm_D, weights["model.norm.weight"]))
    for variable, array in targets:
        if variable.shape != array.shape:
            raise ValueError(f"shape {array.shape} where the model has {variable.shape}")
        variable[...] = np.asarray(array, np.float32)
