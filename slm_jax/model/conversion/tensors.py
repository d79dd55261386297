"""The tensors of a local folder of safetensors, whole or sharded, read from disk as they are asked for."""

import os
import pathlib

import numpy as np
from safetensors import SafetensorError, safe_open

from slm_jax.errors import InputError
from slm_jax.files import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class Tensors:
    """Tensors by name, without `prefix` where names have it."""

    def __init__(self, folder: str | os.PathLike, prefix: str = ""):
        """Raises InputError naming the file that is missing, broken or a pickle."""
        folder = pathlib.Path(folder)
        self._where = {}
        for path in _files(folder):
            try:
                handle = safe_open(path, framework="numpy")
            except FileNotFoundError:
                raise InputError(f"{path}: no such file; copy every file of the model's folder") from None
            except (SafetensorError, OSError) as error:
                raise InputError(f"{path}: not a safetensors file ({error}); copy it again") from None
            self._where |= {name.removeprefix(prefix): (path, handle, name) for name in handle.keys()}  # noqa: SIM118
        self._folder, self._taken = folder, set()

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def check_all_taken(self, unused: tuple[str, ...]) -> None:
        """Raises InputError for a tensor that was not asked for, unless its name ends in one of `unused`."""
        for name, (path, _, full_name) in self._where.items():
            if name not in self._taken and not name.endswith(unused):
                raise InputError(
                    f"{path}: tensor {full_name!r} has no place in the model that its config.json describes; "
                    "give the config that belongs to these weights"
                )

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The tensor as float32; raises InputError when it is missing or of another shape."""
        if name not in self:
            raise InputError(
                f"{self._folder}: tensor {name!r} is missing; give the weights that belong to its config.json"
            )
        path, handle, full_name = self._where[name]
        found = tuple(handle.get_slice(full_name).get_shape())
        if found != shape:
            raise InputError(
                f"{path}: tensor {full_name!r} has shape {found}, but its config.json makes it {shape}"
            )
        self._taken.add(name)
        return handle.get_tensor(full_name).astype(np.float32)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        return [folder / file for file in sorted(_shards(folder / INDEX))]
    for file in PICKLES:
        if (folder / file).exists():
            raise InputError(
                f"{folder / file}: is a pickle, which is never loaded; convert it where you trust it, with "
                "transformers: AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder)"
            )
    raise InputError(f"{folder / WEIGHTS}: no such file; give the folder of a model in safetensors")


def _shards(index: pathlib.Path) -> set[str]:
    content = read_json(index)
    files = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not files:
        raise InputError(f"{index}: field 'weight_map' is missing; restore the file")
    for file in files.values():
        if not isinstance(file, str) or pathlib.PurePath(file).name != file:
            raise InputError(f"{index}: field 'weight_map' names {file!r}, which is no file of this folder")
    return set(files.values())
