"""Small tokenizers, recordings and datasets for the tests of this room."""

import pathlib

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import Recording
from slm_jax.data import write_dataset
from slm_jax.tokenizer import MFCC, Tokenizer

K = 30


@pytest.fixture
def tokenizer_dir(tmp_path) -> pathlib.Path:
    Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 100, (K, 26))).save(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


@pytest.fixture
def recordings(tmp_path) -> list[Recording]:
    """Twenty recordings of 0.3 to 0.9 s."""
    rng = np.random.default_rng(1)
    rows = []
    for index in range(20):
        path = tmp_path / "audio" / f"{index}.wav"
        path.parent.mkdir(exist_ok=True)
        wave = np.cumsum(rng.normal(0, 0.02, int(rng.uniform(0.3, 0.9) * 16_000))).clip(-1, 1)
        soundfile.write(path, wave, 16_000)
        split = "train" if index < 16 else "validation"
        rows.append(Recording(f"r{index}", path, f"speaker{index % 3}", "test", split))
    return rows


def example(index: int, rng: np.random.Generator, **fields) -> dict:
    units = rng.integers(0, K, rng.integers(1, 80)).astype(np.uint16)
    return {
        "id": f"recording é {index}",
        "units": units,
        "source": "made up",
        "speaker": "nobody",
        "seconds": 0.1 * len(units),
    } | fields


@pytest.fixture
def examples() -> dict[str, list[dict]]:
    rng = np.random.default_rng(2)
    return {"train": [example(i, rng) for i in range(150)], "validation": [example(i, rng) for i in range(7)]}


@pytest.fixture
def unit_dir(tmp_path, tokenizer_dir, examples) -> pathlib.Path:
    write_dataset(
        tmp_path / "units",
        examples,
        name="made_up",
        kind="units",
        tokenizer_dir=tokenizer_dir,
        records_per_shard=40,
    )
    return tmp_path / "units"


@pytest.fixture
def pair_examples() -> list[dict]:
    rng = np.random.default_rng(3)
    return [
        example(4 * group + 2 * voice + correct, rng)
        | {"group": f"pair-{group}", "phenomenon": f"rule {group % 2}", "voice": f"voice {voice}"}
        | {"correct": bool(correct)}
        for group in range(6)
        for voice in range(2)
        for correct in range(2)
    ]
