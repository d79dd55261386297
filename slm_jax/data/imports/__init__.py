"""Units that other projects made, as a dataset: one file here for each format."""

from slm_jax.data.imports.dataset import IMPORT_FORMATS, import_units

__all__ = ["IMPORT_FORMATS", "import_units"]
