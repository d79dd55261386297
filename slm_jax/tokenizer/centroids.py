"""Centroids that others fitted: read from array files and k-means pickles, and made a tokenizer."""

import os
import pathlib
import zipfile
import zlib

import numpy as np
import safetensors
from safetensors import SafetensorError

from slm_jax.errors import InputError
from slm_jax.files import sha256
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.pickle_reader import MAX_BYTES
from slm_jax.tokenizer.pickles import read_pickled_centroids
from slm_jax.tokenizer.tokenizer import Tokenizer

PICKLES = (".bin", ".km", ".joblib", ".pkl", ".pickle")


def read_centroids(path: str | os.PathLike, array: str | None = None) -> np.ndarray:
    """centroids_KxD, float32, of a .npy, .npz or .safetensors file, or of a k-means pickle (PICKLES).

    `array` names the array in a .npz or .safetensors file that holds several. Reads arrays only: nothing in
    the file is executed (see pickle_reader). Raises InputError naming the file for anything that is not one
    finite matrix.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if array is not None and suffix not in (".npz", ".safetensors"):
        raise InputError(f"{path}: a {suffix} file names no arrays; leave out array={array!r}")
    if suffix == ".npy":
        centroids = _read_npy(path)
    elif suffix == ".npz":
        centroids = _read_npz(path, array)
    elif suffix == ".safetensors":
        centroids = _read_safetensors(path, array)
    elif suffix in PICKLES:
        centroids = read_pickled_centroids(path)
    else:
        known = ", ".join((".npy", ".npz", ".safetensors", *PICKLES))
        raise InputError(f"{path}: cannot tell the format; centroids come from {known}")
    if centroids.ndim != 2 or not centroids.size or centroids.dtype.kind != "f":
        raise InputError(
            f"{path}: expected centroids of shape (K, D) in floating point, "
            f"found {centroids.dtype} of shape {centroids.shape}"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which the next line refuses
        centroids_KxD = np.ascontiguousarray(centroids, np.float32)
    if not np.isfinite(centroids_KxD).all():
        raise InputError(f"{path}: the centroids hold NaN or infinite numbers; export them again")
    return centroids_KxD


def import_tokenizer(
    encoder: Encoder, centroids_path: str | os.PathLike, *, array: str | None = None, collapse: bool = True
) -> Tokenizer:
    """The tokenizer of `encoder` and of centroids that another project fitted on its features.

    Raises InputError when the file cannot be read as centroids, their dimension is not the encoder's, or the
    encoder has a setting that nobody gave and that may not be theirs.
    """
    if encoder.on_device:
        encoder.check_import()
    path = pathlib.Path(centroids_path)
    centroids_KxD = read_centroids(path, array)
    if centroids_KxD.shape[1] != encoder.dim:
        raise InputError(
            f"{path}: the centroids have {centroids_KxD.shape[1]} dimensions but encoder {encoder.name!r} "
            f"gives {encoder.dim}; choose the encoder and the layer they were fitted on"
        )
    return Tokenizer(encoder, centroids_KxD, collapse, {"imported": path.name, "sha256": sha256(path)})


def _read_npy(path: pathlib.Path) -> np.ndarray:
    try:
        # Mapped, a header that promises more than the file holds is an error and no allocation.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: truncated, or no .npy file of numbers ({error})") from None


def _read_npz(path: pathlib.Path, array: str | None) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise InputError(f"{path}: holds more than 1 GiB, too much for centroids; save them alone")
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[_choose(path, arrays.files, array)]
    except InputError:
        raise
    except (ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: truncated, or no .npz file of numbers ({error})") from None


def _read_safetensors(path: pathlib.Path, array: str | None) -> np.ndarray:
    try:
        with safetensors.safe_open(path, framework="numpy") as arrays:
            return arrays.get_tensor(_choose(path, list(arrays.keys()), array))
    except (SafetensorError, TypeError) as error:  # TypeError: a type NumPy does not have, as bfloat16
        raise InputError(f"{path}: truncated, or no .safetensors file NumPy can read ({error})") from None


def _choose(path: pathlib.Path, names: list[str], array: str | None) -> str:
    if array is None and len(names) == 1:
        return names[0]
    if array not in names:
        problem = (
            "give the name of one of its arrays" if array is None else f"there is no array {array!r} in it"
        )
        raise InputError(f"{path}: {problem}; it holds {', '.join(sorted(names)) or 'none'}")
    return array
