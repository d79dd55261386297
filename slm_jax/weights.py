"""The weights of a model in a local Hugging Face folder: its files, and its tensors one by one."""

import os
import pathlib

import numpy as np
from safetensors import SafetensorError, safe_open

from slm_jax.errors import InputError
from slm_jax.files import read_json

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def weight_files(folder: str | os.PathLike) -> list[pathlib.Path]:
    """The safetensors files of a model, the index of a sharded one last.

    Raises InputError for a folder without them.
    """
    folder = pathlib.Path(folder)
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if (folder / INDEX).is_file():
        shards = sorted(set(_weight_map(folder / INDEX).values()))
        return [*(folder / shard for shard in shards), folder / INDEX]
    for file in PICKLES:
        if (folder / file).exists():
            raise InputError(
                f"{folder / file}: is a pickle, which is never loaded; convert it, where you trust it, with "
                "transformers: from_pretrained(...).save_pretrained(folder) of the model's class"
            )
    raise InputError(f"{folder / SINGLE}: no such file; give the folder of a model in safetensors")


class Weights:
    """The tensors of a folder, read from disk as they are asked for, without `prefix` where names have it."""

    def __init__(self, folder: str | os.PathLike, prefix: str = ""):
        """Raises InputError naming the file that is missing, no safetensors file or a pickle."""
        self._where, self._taken = {}, set()
        self._files = [path for path in weight_files(folder) if path.suffix == ".safetensors"]
        for path in self._files:
            try:
                handle = safe_open(path, framework="numpy")
            except FileNotFoundError:
                raise InputError(f"{path}: no such file; copy every file of the model's folder") from None
            except (SafetensorError, OSError) as error:
                raise InputError(f"{path}: not a safetensors file ({error}); copy it again") from None
            names = handle.keys()
            self._where |= {name.removeprefix(prefix): (path, handle, name) for name in names}

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The tensor `name` as float32; raises InputError when it is missing or of another shape."""
        if name not in self:
            files = " and ".join(str(path) for path in self._files)
            raise InputError(f"{files}: tensor {name!r} is missing; give the weights that belong to {CONFIG}")
        path, handle, full_name = self._where[name]
        found = tuple(handle.get_slice(full_name).get_shape())
        if found != shape:
            raise InputError(f"{path}: tensor {full_name!r} has shape {found}, but {CONFIG} makes it {shape}")
        self._taken.add(name)
        return handle.get_tensor(full_name).astype(np.float32)

    def check_all_taken(self, unused: tuple[str, ...]) -> None:
        """Raises InputError for a tensor that was not asked for, unless its name ends in one of `unused`."""
        for name, (path, _, full_name) in self._where.items():
            if name not in self._taken and not name.endswith(unused):
                raise InputError(
                    f"{path}: tensor {full_name!r} has no place in the model of {CONFIG}; give the "
                    "config that belongs to these weights"
                )


def _weight_map(index: pathlib.Path) -> dict[str, str]:
    content = read_json(index)
    files = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not files:
        raise InputError(f"{index}: field 'weight_map' is missing; restore the file")
    for file in files.values():
        if not isinstance(file, str) or pathlib.PurePath(file).name != file:
            raise InputError(f"{index}: field 'weight_map' names {file!r}, which is no file of this folder")
    return files
