"""Sizes and architectures that have a name: fields of a ModelConfig."""

# The five sizes of the study (context 2,050, vocabulary 502), and sizes of the same recipe for a laptop CPU.
SIZES: dict[str, dict[str, int]] = {
    "12k": {"layers": 2, "dim": 16, "heads": 1, "mlp_multiple": 32},
    "30k": {"layers": 2, "dim": 32, "heads": 1, "mlp_multiple": 32},
    "90k": {"layers": 3, "dim": 48, "heads": 2, "mlp_multiple": 32},
    "170k": {"layers": 3, "dim": 64, "heads": 2, "mlp_multiple": 32},
    "440k": {"layers": 4, "dim": 96, "heads": 3, "mlp_multiple": 32},
    "830k": {"layers": 4, "dim": 128, "heads": 4, "mlp_multiple": 32},
    "2M": {"layers": 5, "dim": 192, "heads": 6, "mlp_multiple": 32},
    "5M": {"layers": 6, "dim": 256, "heads": 8, "mlp_multiple": 32},
    "10M": {"layers": 8, "dim": 320, "heads": 10, "mlp_multiple": 32},
    "20M": {"layers": 6, "dim": 512, "heads": 8},
    "85M": {"layers": 12, "dim": 768, "heads": 12},
    "155M": {"layers": 12, "dim": 1024, "heads": 16},
    "309M": {"layers": 24, "dim": 1024, "heads": 16},
    "823M": {"layers": 16, "dim": 2048, "heads": 32},
}

# What sets other families apart from the default, whatever their size.
ARCHITECTURES: dict[str, dict[str, object]] = {
    "llama": {},
    "qwen2": {"attention_bias": "qkv", "norm_eps": 1e-6, "rope_theta": 1e6},
    "pythia": {
        "block": "parallel",
        "norm": "layernorm",
        "mlp": "gelu",
        "mlp_bias": True,
        "attention_bias": "all",
        "rotary_fraction": 0.25,
        "tied": False,
    },
    "opt": {
        "norm": "layernorm",
        "mlp": "relu",
        "mlp_bias": True,
        "attention_bias": "all",
        "positions": "learned",
        "max_positions": 2048,
    },
}
