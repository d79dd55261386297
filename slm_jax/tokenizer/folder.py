"""The folder of a tokenizer: what tokenizer.json says, checked field by field."""

import hashlib
import json
import os
import pathlib
import shutil

from slm_jax.errors import InputError
from slm_jax.files import atomic_path, read_json
from slm_jax.tokenizer.units import eos_id, pad_id

CONFIG = "tokenizer.json"
CENTROIDS = "centroids.safetensors"

_FIELDS = {
    "encoder": dict,
    "sample_rate": int,
    "frame_rate": (int, float),
    "k": int,
    "collapse": bool,
    "eos": int,
    "pad": int,
    "vocab_size": int,
    "fit": dict,
    "libraries": dict,
    "centroids": dict,
}


def fingerprint(config: dict) -> str:
    """sha256 of the content of tokenizer.json, which itself holds the sha256 of the centroids."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def read_config(directory: str | os.PathLike) -> dict:
    """Reads and checks tokenizer.json alone; raises InputError naming the field that is missing or wrong."""
    path = pathlib.Path(directory) / CONFIG
    config = read_json(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a JSON object with named fields")
    _check_fields(path, config, _FIELDS)
    _check_fields(path, config["encoder"], {"name": str, "parameters": dict}, "encoder.")
    _check_fields(path, config["centroids"], {"file": str, "sha256": str}, "centroids.")
    k = config["k"]
    for field, value in {"eos": eos_id(k), "pad": pad_id(k), "vocab_size": k + 2}.items():
        if config[field] != value:
            raise InputError(
                f"{path}: field {field!r} is {config[field]} but k = {k} makes it {value}; restore the file"
            )
    return config


def copy_tokenizer(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies the two files of a tokenizer folder."""
    for file in (CENTROIDS, CONFIG):
        with atomic_path(pathlib.Path(target) / file) as temporary:
            shutil.copyfile(pathlib.Path(source) / file, temporary)


def _check_fields(path: pathlib.Path, content: dict, fields: dict, prefix: str = "") -> None:
    for field, kind in fields.items():
        if field not in content:
            raise InputError(f"{path}: field '{prefix}{field}' is missing; restore the file or fit again")
        value = content[field]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InputError(
                f"{path}: field '{prefix}{field}' has the wrong type ({value!r}); restore the file"
            )
