"""The Transformer, its sizes, sharding rules and attention backends."""

from slm_jax.model.config import ModelConfig, TransformerConfig
from slm_jax.model.conversion import (
    from_llama,
    import_model,
    llama_config,
    save_llama,
    select_tokens,
    to_llama,
)
from slm_jax.model.generation import generate
from slm_jax.model.layers import declare_parts
from slm_jax.model.likelihood import (
    Batch,
    at_precision,
    default_batch_tokens,
    row_multiple,
    strided_windows,
    target_loglik,
)
from slm_jax.model.loss import LossSums, counted_targets, next_token_loss
from slm_jax.model.sharding import (
    MESH_AXES,
    batch_sharding,
    make_mesh,
    parameter_shardings,
    share_cpu_among_devices,
)
from slm_jax.model.sizes import ARCHITECTURES, SIZES
from slm_jax.model.transformer import Transformer, count_active_parameters, count_parameters

__all__ = [
    "ARCHITECTURES",
    "MESH_AXES",
    "SIZES",
    "Batch",
    "LossSums",
    "ModelConfig",
    "Transformer",
    "TransformerConfig",
    "at_precision",
    "batch_sharding",
    "count_active_parameters",
    "count_parameters",
    "counted_targets",
    "declare_parts",
    "default_batch_tokens",
    "from_llama",
    "generate",
    "import_model",
    "llama_config",
    "make_mesh",
    "next_token_loss",
    "parameter_shardings",
    "row_multiple",
    "save_llama",
    "select_tokens",
    "share_cpu_among_devices",
    "strided_windows",
    "target_loglik",
    "to_llama",
]
