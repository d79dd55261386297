"""Small random HuBERT models as transformers writes them, and the hidden states it computes."""

import pathlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
KINDS = {
    "base": {},
    "large": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
    "25 Hz": {
        "conv_dim": [16] * 8,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2, 2],
        "conv_bias": True,
        "feat_proj_layer_norm": False,
        "num_conv_pos_embeddings": 15,
    },
}


def save_model(folder: pathlib.Path, kind: str = "base", model: str = "HubertModel", **saving):
    """Writes a model whose parameters, biases too, are large enough that each of them shows."""
    torch.manual_seed(0)
    made = getattr(transformers, model)(transformers.HubertConfig(**SMALL | KINDS[kind])).eval()
    for name, parameter in made.named_parameters():
        around = 1.0 if "norm.weight" in name else 0.0
        torch.nn.init.normal_(parameter, around, 0.3)
    made.save_pretrained(folder, **saving)
    return made


def hidden_states(model, wave_S: np.ndarray) -> list[np.ndarray]:
    """Every layer's hidden_TxD of one recording alone, unpadded."""
    with torch.inference_mode():
        states = model(torch.tensor(wave_S)[None], output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states]


def speechlike(seconds: float, seed: int = 0) -> np.ndarray:
    """A waveform at 16 kHz with most of its power at low frequencies and an offset."""
    rng = np.random.default_rng(seed)
    wave_S = np.cumsum(rng.normal(0, 0.01, round(16_000 * seconds)))
    return (0.3 * np.sin(wave_S) + 0.01 * rng.normal(size=len(wave_S)) + 0.02).astype(np.float32)
