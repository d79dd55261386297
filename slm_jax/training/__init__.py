"""Pre-training: the config, the update, the loop, checkpoints and metrics."""

from slm_jax.training.checkpoints import load_model, read_run_config
from slm_jax.training.config import (
    DataConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
    default_config,
    defaults_of,
    parse_config,
    parse_dataclass,
)
from slm_jax.training.heldout import HeldoutLoss, heldout_loss
from slm_jax.training.imported import import_run
from slm_jax.training.loop import TrainingDiverged, check_batch, differences, train
from slm_jax.training.metrics import read_metrics, training_flops

__all__ = [
    "DataConfig",
    "HeldoutLoss",
    "MeshConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "TrainingDiverged",
    "check_batch",
    "default_config",
    "defaults_of",
    "differences",
    "heldout_loss",
    "import_run",
    "load_model",
    "parse_config",
    "parse_dataclass",
    "read_metrics",
    "read_run_config",
    "train",
    "training_flops",
]
