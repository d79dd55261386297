"""Pre-training: the config, the update, the loop, checkpoints and metrics."""

from slm_jax.training.batch import check_batch
from slm_jax.training.checkpointing.restore import load_model, saved_steps
from slm_jax.training.checkpointing.seals import find_damage
from slm_jax.training.config import DataConfig, MeshConfig, ModelConfig, OptimizerConfig, TrainConfig
from slm_jax.training.heldout import HeldoutLoss, heldout_loss
from slm_jax.training.imported import import_run
from slm_jax.training.loop import train
from slm_jax.training.memory import STATE_BYTES, estimated_bytes
from slm_jax.training.parse import default_config, defaults_of, parse_config, parse_dataclass
from slm_jax.training.reporting.flops import training_flops
from slm_jax.training.reporting.meter import TrainingDiverged
from slm_jax.training.reporting.metrics import read_metrics
from slm_jax.training.run_folder import differences, read_run_config
from slm_jax.training.schedule import decay_start

__all__ = [
    "STATE_BYTES",
    "DataConfig",
    "HeldoutLoss",
    "MeshConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "TrainingDiverged",
    "check_batch",
    "decay_start",
    "default_config",
    "defaults_of",
    "differences",
    "estimated_bytes",
    "find_damage",
    "heldout_loss",
    "import_run",
    "load_model",
    "parse_config",
    "parse_dataclass",
    "read_metrics",
    "read_run_config",
    "saved_steps",
    "train",
    "training_flops",
]
