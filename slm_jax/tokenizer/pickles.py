"""Arrays out of the k-means pickles other projects publish; a pickle is never run (pickle_reader.py)."""

import os
import pathlib
import zlib

import numpy as np

from slm_jax.errors import InputError
from slm_jax.tokenizer.pickle_reader import (
    FROM_BUFFER,
    MAX_BYTES,
    MODELS,
    RECONSTRUCT,
    SAVE_AGAIN,
    TOO_LARGE,
    WRAPPER,
    Made,
    PickleReader,
    array_dtype,
    array_shape,
)

OTHER_FORMATS = {b"BZ": "bz2", b"\xfd7zXZ": "xz", b"]\0": "lzma", b"\x04\x22M\x18": "lz4"}


def read_pickled_centroids(path: str | os.PathLike) -> np.ndarray:
    """cluster_centers_ of a scikit-learn KMeans or MiniBatchKMeans, or an array, that was pickled.

    Reads what joblib.dump (0.10 and later; plain, zlib or gzip) and pickle.dump (protocols 2 to 5) write.
    Raises InputError for anything else: another compression, another object, a name that no k-means needs, a
    truncated file, or more than 1 GiB of content.
    """
    content = _content(pathlib.Path(path))
    try:
        top = PickleReader(content).read()
        centroids = _centroids(top)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # The interpreter trusts the file to be well formed, and each of these says that it is not.
        raise InputError(
            f"{path}: truncated, or no k-means pickle ({str(error)[:100]}); copy it again"
        ) from None
    return centroids


def _content(path: pathlib.Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if raw[:2] == b"ZF":
        raise InputError(f"{path}: was written by joblib before 0.10; {SAVE_AGAIN}")
    for magic, name in OTHER_FORMATS.items():
        if raw.startswith(magic) and not raw.startswith(b"]\x94"):
            raise InputError(f"{path}: is compressed with {name}; decompress it, or {SAVE_AGAIN}")
    if raw[:1] == b"x" or raw[:2] == b"\x1f\x8b":
        try:
            inflater = zlib.decompressobj(wbits=47)  # 32 + 15: zlib or gzip, whichever it is
            raw = inflater.decompress(raw, MAX_BYTES + 1)
        except zlib.error as error:
            raise InputError(f"{path}: truncated or damaged ({error}); copy it again") from None
        if len(raw) <= MAX_BYTES and not inflater.eof:
            raise InputError(f"{path}: truncated; copy it again")
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: {TOO_LARGE}")
    return raw


def _centroids(top) -> np.ndarray:
    if isinstance(top, Made) and top.of in MODELS:
        top = (top.state or {}).get("cluster_centers_")
        if top is None:
            raise InputError("the k-means was never fitted: it has no cluster_centers_; give a fitted one")
    if not isinstance(top, Made) or top.of not in RECONSTRUCT | FROM_BUFFER | WRAPPER:
        raise InputError(f"holds no KMeans, MiniBatchKMeans or array; {SAVE_AGAIN}")
    return _array(top)


def _array(made: Made) -> np.ndarray:
    if made.of in WRAPPER:
        shape, dtype, order = (made.state[field] for field in ("shape", "dtype", "order"))
        data = made.raw
    elif made.of in FROM_BUFFER:
        data, dtype, shape, order = made.arguments
    else:
        _, shape, dtype, fortran, data = made.state
        order = "F" if fortran else "C"
        if isinstance(data, str):  # Python 2 wrote bytes as strings, which pickletools reads as latin1
            data = data.encode("latin1")
    if not (isinstance(order, str) and order in ("C", "F")):
        raise ValueError("an array has no order")
    return np.frombuffer(data, array_dtype(dtype)).reshape(array_shape(shape), order=order)
