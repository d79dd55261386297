"""What transformers' LlamaForCausalLM computes, live or written down.

`python tests/model/llama_reference.py` writes golden/llama.npz again; it needs torch and transformers.
"""

import pathlib

import numpy as np

from slm_jax.model import TransformerConfig

GOLDEN = pathlib.Path(__file__).parent / "golden" / "llama.npz"
CONFIG = TransformerConfig(vocab_size=29, layers=2, dim=24, heads=3, mlp_multiple=16)


def llama_logits(
    config: TransformerConfig, weights: dict[str, np.ndarray], tokens_BxL: np.ndarray
) -> np.ndarray:
    """Logits of LlamaForCausalLM with these weights, float32."""
    import torch
    import transformers

    reference = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.dim,
            intermediate_size=config.mlp_dim,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            rms_norm_eps=config.norm_eps,
            rope_theta=config.rope_theta,
            tie_word_embeddings=True,
        )
    )
    missing = reference.load_state_dict({n: torch.tensor(w) for n, w in weights.items()}, strict=False)
    assert missing.missing_keys == ["lm_head.weight"]  # tied
    assert not missing.unexpected_keys
    with torch.no_grad():
        return reference(torch.tensor(tokens_BxL)).logits.numpy()


def random_weights(config: TransformerConfig, seed: int) -> dict[str, np.ndarray]:
    """Weights in Hugging Face's layout, large enough that every part of the model moves the logits."""
    from flax import nnx

    from slm_jax.model import Transformer, to_llama

    rng = np.random.default_rng(seed)
    shapes = {name: array.shape for name, array in to_llama(Transformer(config, nnx.Rngs(0))).items()}
    return {
        name: (rng.normal(0, 0.25, shape) + ("norm" in name)).astype(np.float32)
        for name, shape in shapes.items()
    }


if __name__ == "__main__":
    weights = random_weights(CONFIG, seed=0)
    tokens_BxL = np.random.default_rng(1).integers(CONFIG.vocab_size, size=(2, 80))
    logits_BxLxV = llama_logits(CONFIG, weights, tokens_BxL)
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, tokens_BxL=tokens_BxL, logits_BxLxV=logits_BxLxV, **weights)
