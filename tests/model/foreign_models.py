"""Small models of other projects, with weights of which every one moves the logits."""

import json
import pathlib

import numpy as np
import safetensors.numpy

VOCABULARY = 31
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
LLAMA = SMALL | {"intermediate_size": 40}
GROUPED = {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32}
OPT = SMALL | {"ffn_dim": 40, "max_position_embeddings": 64}


def rope(theta, **more):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta, **more}}


# The name of transformers' class without its end, and the fields of its config.
MODELS = {
    "llama": ("Llama", LLAMA | rope(500.0) | {"tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    "llama grouped, untied": ("Llama", LLAMA | GROUPED),
    "llama with biases and wide heads": (
        "Llama",
        LLAMA | {"attention_bias": True, "mlp_bias": True, "head_dim": 16},
    ),
    "qwen2": ("Qwen2", LLAMA | GROUPED | {"tie_word_embeddings": True}),
    "pythia": ("GPTNeoX", LLAMA | rope(300.0, partial_rotary_factor=0.5)),
    "gpt_neox in sequence": (
        "GPTNeoX",
        LLAMA | rope(300.0, partial_rotary_factor=1.0) | {"use_parallel_residual": False},
    ),
    "gpt_neox without attention biases": (
        "GPTNeoX",
        LLAMA | rope(300.0, partial_rotary_factor=0.25) | {"attention_bias": False, "num_attention_heads": 1},
    ),
    "opt": ("OPT", OPT),
    "opt of 350M": ("OPT", OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 10}),
    "opt without biases": ("OPT", OPT | {"enable_bias": False, "activation_function": "gelu"}),
}


def reference(name: str, seed: int = 0):
    """The transformers model, with random weights that are not near their usual beginnings."""
    import torch
    import transformers

    family, fields = MODELS[name]
    config = getattr(transformers, f"{family}Config")(**fields)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.copy_(0.25 * torch.randn(weight.shape, generator=generator))
            if "norm" in key and key.endswith("weight"):
                weight.add_(1)
    return model


def logits_of(model, tokens_BxL: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return model(torch.tensor(tokens_BxL)).logits.float().numpy()


SLM_ARGUMENTS = {
    "dim": 24, "n_layers": 2, "n_heads": 3, "n_kv_heads": None, "vocab_size": VOCABULARY, "hidden_dim": None,
    "prefix_vocab_size": None, "prefix_pad": None, "multiple_of": 16, "norm_eps": 1e-5, "block_size": 50,
    "dropout": 0.0,
}  # fmt: skip


def save_slm(folder: pathlib.Path, shards: int = 1) -> dict[str, np.ndarray]:
    """Writes a folder as slm_scaling's native format has it, random; returns its tensors."""
    rng = np.random.default_rng(0)
    d, f = 24, 64
    shapes = {"tok_embeddings.weight": (VOCABULARY, d), "norm.weight": (d,)}
    for layer in range(2):
        inside = {f"attention.w{name}": (d, d) for name in "qkvo"} | {
            "feed_forward.w1": (f, d),
            "feed_forward.w2": (d, f),
            "feed_forward.w3": (f, d),
            "attention_norm": (d,),
            "ffn_norm": (d,),
        }
        shapes |= {f"layers.{layer}.{name}.weight": shape for name, shape in inside.items()}
    tensors = {
        name: (rng.normal(0, 0.25, shape) + ("norm" in name)).astype(np.float32)
        for name, shape in shapes.items()
    }
    folder.mkdir()
    content = {"format_version": 1, "model_type": "slm", "model_args": SLM_ARGUMENTS}
    (folder / "config.json").write_text(json.dumps(content))
    if shards == 1:
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        return tensors
    where = {name: f"model-{i % shards:05d}.safetensors" for i, name in enumerate(tensors)}
    for file in set(where.values()):
        shard = {name: tensors[name] for name in tensors if where[name] == file}
        safetensors.numpy.save_file(shard, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return tensors


def slm_logits(tensors: dict[str, np.ndarray], tokens_BxL: np.ndarray) -> np.ndarray:
    """What the model computes, in NumPy: rotary positions turn complex numbers made of neighbours."""
    heads, size = 3, 8
    length = tokens_BxL.shape[1]
    turn_LxP = np.exp(1j * np.arange(length)[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size))

    def normed(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * tensors[f"{name}.weight"]

    def by_head(x, name, turned):
        y_BxLxHxK = (x @ tensors[f"{name}.weight"].T).reshape(*x.shape[:2], heads, size)
        if turned:
            complex_BxLxHxP = y_BxLxHxK.copy().view(np.complex128) * turn_LxP[:, None]
            y_BxLxHxK = complex_BxLxHxP.view(np.float64)
        return y_BxLxHxK

    x_BxLxD = tensors["tok_embeddings.weight"][tokens_BxL].astype(np.float64)
    for layer in range(2):
        at = f"layers.{layer}."
        normal = normed(x_BxLxD, at + "attention_norm")
        query, key = (by_head(normal, f"{at}attention.w{name}", True) for name in "qk")
        value = by_head(normal, at + "attention.wv", False)
        scores = np.einsum("blhk,bmhk->bhlm", query, key) / np.sqrt(size)
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("bhlm,bmhk->blhk", weights, value).reshape(x_BxLxD.shape)
        x_BxLxD = x_BxLxD + mixed @ tensors[at + "attention.wo.weight"].T
        normal = normed(x_BxLxD, at + "ffn_norm")
        gate, up = (normal @ tensors[f"{at}feed_forward.w{n}.weight"].T for n in "13")
        x_BxLxD = x_BxLxD + (gate / (1 + np.exp(-gate)) * up) @ tensors[at + "feed_forward.w2.weight"].T
    return normed(x_BxLxD, "norm") @ tensors["tok_embeddings.weight"].T
