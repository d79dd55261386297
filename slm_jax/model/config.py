"""What a Transformer is made of, and the named sizes."""

import dataclasses

from slm_jax.errors import InputError

ATTENTION_BACKENDS = ("auto", "reference", "blockwise", "cudnn")
COMPUTE_DTYPES = ("auto", "float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """A Llama-style decoder (Touvron et al. 2023; Cuervo & Marxer 2024, section 3).

    Attributes:
      vocab_size: number of token ids, special ids included.
      layers, dim, heads: depth, width of the residual stream, attention heads.
      mlp_multiple: the SwiGLU hidden size is floor(8 * dim / 3) rounded up to a multiple of this.
      norm_eps: RMSNorm epsilon.
      rope_theta: base of the rotary position frequencies.
      dtype: compute type; "auto" is bfloat16 on accelerators and float32 on CPU. Parameters are float32.
      attention: backend; "auto" is cuDNN on GPU in bfloat16 and blockwise elsewhere.
    """

    vocab_size: int
    layers: int
    dim: int
    heads: int
    mlp_multiple: int = 256
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    dtype: str = "auto"
    attention: str = "auto"

    def __post_init__(self):
        for field in ("vocab_size", "layers", "dim", "heads", "mlp_multiple"):
            value = getattr(self, field)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"model.{field} is {value!r}: it must be a whole number of at least 1")
        if self.dim % (2 * self.heads):
            raise InputError(
                f"model.dim is {self.dim} with model.heads {self.heads}: dim / heads must be an even "
                f"whole number (rotary positions turn pairs); choose dim as a multiple of {2 * self.heads}"
            )
        for field, choices in (("dtype", COMPUTE_DTYPES), ("attention", ATTENTION_BACKENDS)):
            if getattr(self, field) not in choices:
                raise InputError(
                    f"model.{field} is {getattr(self, field)!r}: choose one of {', '.join(choices)}"
                )

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def mlp_dim(self) -> int:
        return self.mlp_multiple * -(-(8 * self.dim // 3) // self.mlp_multiple)


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
