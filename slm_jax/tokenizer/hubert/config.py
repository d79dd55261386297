"""The shape of a HuBERT model: the fields of a Hugging Face config.json that move a feature."""

import dataclasses
import math
import os

from slm_jax.errors import InputError
from slm_jax.files import read_json

ACTIVATIONS = ("gelu", "relu", "silu", "gelu_new")


@dataclasses.dataclass(frozen=True)
class HubertConfig:
    """The fields of transformers' `HubertConfig` under their own names, with its defaults."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    feat_proj_layer_norm: bool = True
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    conv_pos_batch_norm: bool = False
    do_stable_layer_norm: bool = False

    def __post_init__(self):
        """Raises InputError naming the field that describes no model."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, tuple):
                fits = isinstance(value, list | tuple) and value and all(map(_is_positive_int, value))
                object.__setattr__(self, field.name, tuple(value) if fits else value)
            elif isinstance(field.default, bool | str):
                fits = isinstance(value, type(field.default))
            elif isinstance(field.default, int):
                fits = _is_positive_int(value)
            else:
                fits = isinstance(value, float) and 0 < value < 1
            _require(fits, field.name, value)
        for field in ("conv_kernel", "conv_stride"):
            lengths_agree = len(getattr(self, field)) == len(self.conv_dim)
            _require(lengths_agree, field, getattr(self, field), "one number for each of conv_dim")
        for field in ("hidden_act", "feat_extract_activation"):
            known = getattr(self, field) in ACTIVATIONS
            _require(known, field, getattr(self, field), f"one of {', '.join(ACTIVATIONS)}")
        norm = self.feat_extract_norm
        _require(norm in ("group", "layer"), "feat_extract_norm", norm, "'group' or 'layer'")
        batch_norm = self.conv_pos_batch_norm
        _require(not batch_norm, "conv_pos_batch_norm", batch_norm, "false: batch norm is not supported")
        for field in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            parts = getattr(self, field)
            _require(self.hidden_size % parts == 0, field, parts, "a divisor of hidden_size")

    @classmethod
    def from_json(cls, path: str | os.PathLike) -> "HubertConfig":
        """Reads a config.json; raises InputError naming it and the field that is not HuBERT's."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("model_type") != "hubert":
            raise InputError(f"{path}: field 'model_type' is not 'hubert'; give the folder of a HuBERT model")
        if content.get("adapter_attn_dim") is not None:
            raise InputError(f"{path}: field 'adapter_attn_dim' is set, but adapters are not supported")
        names = [field.name for field in dataclasses.fields(cls) if field.name in content]
        try:
            return cls(**{name: content[name] for name in names})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(self.conv_stride)

    @property
    def reach(self) -> int:
        """Samples that one frame sees."""
        reach = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            reach = (reach - 1) * stride + kernel
        return reach

    def frames(self, samples: int) -> int:
        """Frames of a waveform of so many samples: the convolutions pad nothing."""
        return max(0, (samples - self.reach) // self.stride + 1)

    def samples(self, frames: int) -> int:
        """Samples that so many consecutive frames see."""
        return (frames - 1) * self.stride + self.reach


def _is_positive_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _require(fits: bool, field: str, value: object, expected: str = "") -> None:
    if not fits:
        raise InputError(f"field {field!r} cannot be {value!r}" + (f": give {expected}" if expected else ""))
