"""The statistics of speakers in a file, from the process that gathers them to those that encode with them."""

import json
import pathlib

import numpy as np
import safetensors.numpy

from slm_jax.files import atomic_path
from slm_jax.tokenizer.spectrum import Statistics


def write_speakers(path: pathlib.Path, speakers: dict[str, Statistics]) -> None:
    """Stores mean_NxD, deviation_NxD and the names of the N speakers."""
    table = {field: np.stack([getattr(s, field) for s in speakers.values()]) for field in Statistics._fields}
    with atomic_path(path) as temporary:
        notes = {"speakers": json.dumps(list(speakers))}
        temporary.write_bytes(safetensors.numpy.save(table, metadata=notes))


def read_speakers(path: pathlib.Path) -> dict[str, Statistics]:
    """What was stored; nothing where there is no file."""
    if not path.exists():
        return {}
    with safetensors.safe_open(path, framework="numpy") as file:
        columns = [file.get_tensor(field) for field in Statistics._fields]
        speakers = json.loads(file.metadata()["speakers"])
    return {name: Statistics(*row) for name, *row in zip(speakers, *columns, strict=True)}
