"""Units to batches: the unit dataset on disk, its writer, packing and loading."""

from slm_jax.data.describe import format_statistics, open_dataset
from slm_jax.data.encode import encode_recordings
from slm_jax.data.loader import Windows, training_batches
from slm_jax.data.pairs_dataset import Candidate, PairsDataset
from slm_jax.data.shards import write_dataset
from slm_jax.data.unit_dataset import UnitDataset

__all__ = [
    "Candidate",
    "PairsDataset",
    "UnitDataset",
    "Windows",
    "encode_recordings",
    "format_statistics",
    "open_dataset",
    "training_batches",
    "write_dataset",
]
