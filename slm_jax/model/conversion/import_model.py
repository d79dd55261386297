"""A model from a local folder of another project."""

import os

from jax.sharding import Mesh

from slm_jax.errors import InputError
from slm_jax.model.config import TransformerConfig
from slm_jax.model.conversion import gpt_neox, llama, opt, qwen2, slm_scaling
from slm_jax.model.conversion.foreign_config import ForeignConfig
from slm_jax.model.conversion.layout import build
from slm_jax.model.transformer import Transformer
from slm_jax.weights import Weights

# By the field model_type of config.json.
FAMILIES = {"llama": llama, "qwen2": qwen2, "gpt_neox": gpt_neox, "opt": opt, "slm": slm_scaling}
UNIT_MODEL = "speech_language_model"  # SlamKit's wrapper of one of the others: Slam, TWIST retrained

# Constants that old versions saved, and outputs that are the embedding.
UNUSED = ("rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias")
OUTPUTS = ("lm_head.weight", "embed_out.weight", "output.weight")


def import_model(
    folder: str | os.PathLike, mesh: Mesh | None = None
) -> tuple[Transformer, TransformerConfig, dict]:
    """The model of a folder with config.json and model.safetensors, whole or sharded with its index.

    Families: Llama, Qwen2, GPT-NeoX (Pythia), OPT, each also inside SlamKit's unit model, and slm_scaling.
    Parameters are read one by one and laid out on `mesh` (None: the first device). The notes are the family,
    the context in tokens, and the ids of bos, eos and pad that the config says (None: it does not).

    Raises InputError naming the file and the field or tensor that is missing, wrong or not supported.
    """
    source, prefix = ForeignConfig.read(folder), ""
    source.check("quantization_config")
    if source.take("model_type", str) == UNIT_MODEL:
        vocab_size = source.take("vocab_size", int)
        source, prefix = source.inside("base_config").with_fields(vocab_size=vocab_size), "lm."
    family = source.take("model_type", str)
    if family not in FAMILIES:
        raise source.wrong("model_type", f"is {family!r}: give a model of {', '.join(FAMILIES)}")
    if family == "slm":
        source.check("format_version", 1)
        source = source.inside("model_args")
    reader = FAMILIES[family]
    fields = reader.read_fields(source)
    try:
        config = TransformerConfig(**fields)
    except InputError as error:
        raise InputError(f"{source.path}: {error}") from None
    weights = Weights(folder, prefix)
    model = build(config, reader.LAYOUT, lambda name, shape: weights.take(name, *shape), mesh)
    weights.check_all_taken(UNUSED + (OUTPUTS if config.tied else ()))
    notes = {"family": family, "context": source.take(*reader.CONTEXT), **source.special_tokens()}
    return model, config, notes
