"""What a Transformer is made of."""

import dataclasses
import math

from slm_jax.errors import InputError
from slm_jax.model.blocks import find_block

CHOICES = {
    "norm": ("rmsnorm", "layernorm"),
    "mlp": ("swiglu", "gelu", "relu"),
    "positions": ("rotary", "learned"),
    "attention_bias": ("none", "qkv", "all"),
    "dtype": ("auto", "float32", "bfloat16"),
    "attention": ("auto", "reference", "blockwise", "cudnn", "splash"),
    "remat": ("none", "dots", "full"),
}
GATED_MLPS = ("swiglu",)
ABOVE_ZERO = ("norm_eps", "rope_theta")
AT_LEAST_ONE = ("layers", "dim", "heads", "mlp_multiple", "experts_per_token")
AT_LEAST_ZERO = ("kv_heads", "head_size", "mlp_size", "embedding_size", "max_positions", "experts")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A decoder without its vocabulary; the defaults are Llama's (Touvron et al. 2023; Cuervo & Marxer 2024).

    Attributes:
      layers, dim, heads: depth, width of the residual stream, attention heads.
      mlp_multiple: the SwiGLU hidden size is floor(8 * dim / 3) rounded up to a multiple of this.
      norm_eps: epsilon of the norms.
      rope_theta: base of the rotary position frequencies.
      dtype: compute type; "auto" is bfloat16 on accelerators and float32 on CPU. Parameters are float32.
      attention: backend; "auto" is cuDNN on GPU in bfloat16, splash on TPU, blockwise elsewhere.
      kv_heads: heads of keys and values, each shared by heads / kv_heads queries' (0: as many as `heads`).
      head_size: of one head (0: dim / heads).
      mlp_size: the MLP's hidden size (0: the rule above for SwiGLU, 4 * dim for the others).
      block: how a layer joins its parts, a file of model/blocks or the path of a Python file: "sequential",
        "parallel" (attention and MLP read the same input, as in GPT-NeoX) or "post_norm" (the norm after each
        residual sum, none at the end, as in OPT-350M).
      norm: "rmsnorm" or "layernorm" (which has a bias).
      mlp: "swiglu", "gelu" or "relu"; `mlp_bias` adds biases.
      attention_bias: "none", "qkv" or "all" (also after the attention).
      qk_norm: RMSNorm over each head's query and key, before the positions.
      positions: "rotary" or "learned", these for `max_positions` positions.
      rotary_fraction: share of each head that rotary positions turn.
      embedding_size: width of the token embedding, projected to and from `dim` (0: dim, no projection).
      tied: whether the input embedding is the output's too.
      experts: MLPs a layer, of which the router gives each token `experts_per_token` (0: one MLP for all).
      balance_weight: of the loss that keeps the experts evenly used.
      remat: what the backward pass computes again instead of keeping it in memory: "none"; "dots" keeps what
        products with weights give; "full" keeps the layers' inputs alone. It changes no result.
      document_mask: whether attention stays within a document of a stream, which its EOS opens.
    """

    layers: int = 6
    dim: int = 512
    heads: int = 8
    mlp_multiple: int = 256
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    dtype: str = "auto"
    attention: str = "auto"
    kv_heads: int = 0
    head_size: int = 0
    mlp_size: int = 0
    block: str = "sequential"
    norm: str = "rmsnorm"
    mlp: str = "swiglu"
    mlp_bias: bool = False
    attention_bias: str = "none"
    qk_norm: bool = False
    positions: str = "rotary"
    max_positions: int = 0
    rotary_fraction: float = 1.0
    embedding_size: int = 0
    tied: bool = True
    experts: int = 0
    experts_per_token: int = 2
    balance_weight: float = 0.01
    remat: str = "none"
    document_mask: bool = False

    def __post_init__(self):
        """Raises InputError naming the field that describes no model."""
        for field in AT_LEAST_ONE:
            _check_number(field, getattr(self, field), 1)
        for field in AT_LEAST_ZERO:
            _check_number(field, getattr(self, field), 0)
        for field in ABOVE_ZERO:
            value = getattr(self, field)
            if not 0 < value < math.inf:
                raise InputError(f"model.{field} is {value!r}: it must be a number above 0")
        if not 0 <= self.balance_weight < math.inf:
            raise InputError(f"model.balance_weight is {self.balance_weight!r}: it must be 0 or more")
        for field, choices in CHOICES.items():
            if getattr(self, field) not in choices:
                raise InputError(
                    f"model.{field} is {getattr(self, field)!r}: choose one of {', '.join(choices)}"
                )
        find_block(self.block)
        self._check_heads()
        if self.positions == "learned" and not self.max_positions:
            raise InputError(
                "model.max_positions is 0 with learned positions: set it to the longest context, in tokens"
            )
        if self.experts and self.experts_per_token > self.experts:
            raise InputError(
                f"model.experts_per_token is {self.experts_per_token} with model.experts {self.experts}: "
                "give a token at most as many experts as there are"
            )
        if self.experts and self.mlp_bias:
            raise InputError(
                "model.mlp_bias is true, but experts have no biases: set it false, or model.experts 0"
            )

    def _check_heads(self) -> None:
        if not self.head_size and self.dim % (2 * self.heads):
            raise InputError(
                f"model.dim is {self.dim} with model.heads {self.heads}: dim / heads must be an even "
                f"whole number (rotary positions turn pairs); choose dim as a multiple of {2 * self.heads}"
            )
        if self.heads % self.key_value_heads:
            raise InputError(
                f"model.kv_heads is {self.kv_heads} with model.heads {self.heads}: choose a divisor of heads"
            )
        turns_pairs = self.rotary_dim >= 2 and self.rotary_dim % 2 == 0
        if self.positions == "rotary" and not (0 < self.rotary_fraction <= 1 and turns_pairs):
            raise InputError(
                f"model.rotary_fraction is {self.rotary_fraction} of heads of {self.head_dim}: rotary "
                "positions turn pairs, so that it must give an even number of at least 2"
            )

    @property
    def head_dim(self) -> int:
        return self.head_size or self.dim // self.heads

    @property
    def key_value_heads(self) -> int:
        return self.kv_heads or self.heads

    @property
    def rotary_dim(self) -> int:
        """Of each head, the leading numbers that rotary positions turn."""
        return int(self.head_dim * self.rotary_fraction)

    @property
    def mlp_dim(self) -> int:
        if self.mlp_size:
            return self.mlp_size
        if self.mlp not in GATED_MLPS:
            return 4 * self.dim
        return self.mlp_multiple * -(-(8 * self.dim // 3) // self.mlp_multiple)

    @property
    def embedding_dim(self) -> int:
        return self.embedding_size or self.dim


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(ModelConfig):
    """A decoder with `vocab_size` token ids, special ids included.

    Those in `unused` are never predicted: in an imported model, tokens that another id stands for.
    """

    vocab_size: int
    unused: tuple[int, ...] = ()

    def __post_init__(self):
        """Raises InputError naming the field that describes no model."""
        _check_number("vocab_size", self.vocab_size, 1)
        object.__setattr__(self, "unused", tuple(self.unused))  # a list where it was read from JSON
        super().__post_init__()


def _check_number(field: str, value: object, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError(f"model.{field} is {value!r}: it must be a whole number of at least {least}")
