"""A small unit dataset and the config of a run on it, for the tests of this room."""

import pathlib

import numpy as np

from slm_jax.data import write_dataset
from slm_jax.tokenizer import MFCC, Tokenizer

K = 30


def write_units(folder: pathlib.Path, records: int = 80) -> pathlib.Path:
    """Records that walk through the units by a fixed step with some noise: there is something to learn."""
    Tokenizer(MFCC(), np.random.default_rng(0).normal(size=(K, 26))).save(folder / "tokenizer")
    rng = np.random.default_rng(1)

    def record(name):
        length = rng.integers(20, 60)
        units = (np.cumsum(rng.choice([1, 2], size=length)) + rng.integers(K)) % K
        return {"id": name, "units": units.astype(np.uint16), "source": "s", "speaker": "s", "seconds": 2.0}

    splits = {split: [record(f"{split}{i}") for i in range(records)] for split in ("train", "validation")}
    write_dataset(folder / "units", splits, name="walks", kind="units", tokenizer_dir=folder / "tokenizer")
    return folder / "units"


def run_config(units: pathlib.Path, **changes) -> dict:
    return {
        "name": "small",
        "tokens": 40 * 8 * 32,
        "context": 32,
        "batch_size": 8,
        "log_every": 4,
        "checkpoint_every": 10,
        "data": {"path": str(units)},
        "model": {"layers": 2, "dim": 16, "heads": 2, "mlp_multiple": 16},
        "optimizer": {"peak_rate": 1e-2, "min_warmup_steps": 4},
    } | changes
