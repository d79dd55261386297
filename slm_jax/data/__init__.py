"""Units to batches: the unit dataset on disk, its writer, packing and loading."""

from slm_jax.data.describe import format_sources, format_statistics, open_dataset, sources
from slm_jax.data.encode import encode_recordings
from slm_jax.data.granularity import format_granularity, granularity, write_granularity
from slm_jax.data.imports import IMPORT_FORMATS, import_units
from slm_jax.data.loading.training_rows import TrainingRows, check_row_settings
from slm_jax.data.loading.windows import Windows
from slm_jax.data.pairs_dataset import Candidate, PairsDataset
from slm_jax.data.pieces import decode_pieces, encode_pieces, fit_pieces
from slm_jax.data.shards import check_absent, write_dataset
from slm_jax.data.sole_run import sole_run
from slm_jax.data.unit_dataset import UnitDataset

__all__ = [
    "IMPORT_FORMATS",
    "Candidate",
    "PairsDataset",
    "TrainingRows",
    "UnitDataset",
    "Windows",
    "check_absent",
    "check_row_settings",
    "decode_pieces",
    "encode_pieces",
    "encode_recordings",
    "fit_pieces",
    "format_granularity",
    "format_sources",
    "format_statistics",
    "granularity",
    "import_units",
    "open_dataset",
    "sole_run",
    "sources",
    "write_dataset",
    "write_granularity",
]
