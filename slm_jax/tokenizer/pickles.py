"""Arrays out of the k-means pickles other projects publish, without ever running a pickle.

A pickle is a program: loading one imports and calls what the file names. Here
`pickletools.genops` only splits the bytes into opcodes, and the few opcodes an array needs are interpreted on
inert values: a global is a pair of strings that is never imported, a call or a new object is a record of its
parts that is never made. So there is nothing that a file could run, even if the list of names below were
wrong; the list exists so that a file which asks for anything else is refused by name. A `pickle.Unpickler`
with a restricted `find_class` would still call our stand-ins and set their state, and its C version reads
ahead, past the raw bytes that joblib puts between the opcodes.
"""

import dataclasses
import io
import math
import os
import pathlib
import pickletools
import re
import zlib
from typing import Any

import numpy as np

from slm_jax.errors import InputError

MAX_BYTES = 2**30  # 20,000 centroids of 1,280 float64 numbers are 0.2 GB; a zip bomb is more
OTHER_FORMATS = {b"BZ": "bz2", b"\xfd7zXZ": "xz", b"]\0": "lzma", b"\x04\x22M\x18": "lz4"}
SAVE_AGAIN = "save its cluster_centers_ with numpy.save where the file is trusted, and give the .npy"

KMEANS = {"sklearn.cluster._kmeans", "sklearn.cluster.k_means_"}
JOBLIB = {"joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle"}
NUMPY = ("numpy.core", "numpy._core")
RECONSTRUCT = {(f"{numpy}.multiarray", "_reconstruct") for numpy in NUMPY}
FROM_BUFFER = {(f"{numpy}.numeric", "_frombuffer") for numpy in NUMPY}
WRAPPER = {(module, "NumpyArrayWrapper") for module in JOBLIB}
MODELS = {(module, name) for module in KMEANS for name in ("KMeans", "MiniBatchKMeans")}
DTYPE = ("numpy", "dtype")
ENCODE = ("_codecs", "encode")  # how protocol 2 writes bytes
NAMES = (
    RECONSTRUCT
    | FROM_BUFFER
    | WRAPPER
    | MODELS
    | {DTYPE, ENCODE, ("numpy", "ndarray"), ("numpy.random", "__RandomState_ctor")}
    | {(f"{numpy}.multiarray", "scalar") for numpy in NUMPY}
    | {("numpy.random._pickle", f"__{kind}_ctor") for kind in ("randomstate", "bit_generator")}
    | {("numpy.random._mt19937", "MT19937")}
)

VALUES = (
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING"}
    | {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclasses.dataclass(frozen=True)
class _Name:
    module: str
    name: str


@dataclasses.dataclass(repr=False, eq=False)
class _Made:
    """What a call or a new object would have been."""

    of: tuple[str, str]
    arguments: tuple
    state: Any = None


def read_pickled_centroids(path: str | os.PathLike) -> np.ndarray:
    """cluster_centers_ of a scikit-learn KMeans or MiniBatchKMeans, or an array, that was pickled.

    Reads what joblib.dump (0.10 and later; plain, zlib or gzip) and pickle.dump (protocols 2 to 5) write.
    Raises InputError for anything else: another compression, another object, a name that no k-means needs, a
    truncated file, or more than 1 GiB of content.
    """
    content = _content(pathlib.Path(path))
    try:
        top = _Reader(content).read()
        centroids = _centroids(top)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # The interpreter trusts the file to be well formed, and each of these says that it is not.
        raise InputError(f"{path}: truncated, or no k-means pickle ({error}); copy it again") from None
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
        raise InputError(f"{path}: holds more than 1 GiB, too much for centroids; {SAVE_AGAIN}")
    return raw


class _Reader:
    """Interprets one pickle on inert values."""

    def __init__(self, content: bytes):
        self.content = content
        self.file = io.BytesIO(content)
        self.stack: list = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}

    def read(self):
        for opcode, argument, _ in pickletools.genops(self.file):
            name = opcode.name
            if name in VALUES:
                self.stack.append(argument)
            elif name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in TUPLES:
                self.stack.append(self._pop(TUPLES[name]))
            elif name == "STOP":
                return self.stack[-1]
            elif name not in ("PROTO", "FRAME"):
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise InputError(f"uses pickle opcode {name}, which no k-means needs; {SAVE_AGAIN}")
                step(argument)
        raise ValueError("no STOP")

    def _pop(self, count: int) -> tuple:
        if not 0 <= count <= len(self.stack):
            raise ValueError("stack is empty")
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return values

    def _pop_to_mark(self) -> tuple:
        return self._pop(len(self.stack) - self.marks.pop())

    def _mark(self, _):
        self.marks.append(len(self.stack))

    def _tuple(self, _):
        self.stack.append(self._pop_to_mark())

    def _empty_list(self, _):
        self.stack.append([])

    def _empty_dict(self, _):
        self.stack.append({})

    def _append(self, _):
        (value,) = self._pop(1)
        self.stack[-1].append(value)

    def _appends(self, _):
        values = self._pop_to_mark()
        self.stack[-1].extend(values)

    def _setitem(self, _):
        self._set(self._pop(2))

    def _setitems(self, _):
        self._set(self._pop_to_mark())

    def _set(self, pairs: tuple):
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if isinstance(key, str):  # hashing a nested tuple could take for ever, and attributes have names
                self.stack[-1][key] = value

    def _memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def _put(self, index: int):
        self.memo[index] = self.stack[-1]

    def _get(self, index: int):
        self.stack.append(self.memo[index])

    _binput = _long_binput = _put
    _binget = _long_binget = _get

    def _global(self, argument: str):
        self._push_name(*argument.split(" ", 1))

    def _stack_global(self, _):
        self._push_name(*self._pop(2))

    def _push_name(self, module: str, name: str):
        if (module, name) not in NAMES:
            raise InputError(f"asks for {module}.{name}, which no k-means needs: do not load it elsewhere")
        self.stack.append(_Name(module, name))

    def _reduce(self, _):
        called, arguments = self._pop(2)
        of = (called.module, called.name)
        if of == ENCODE:
            text, encoding = arguments
            if encoding != "latin1":
                raise ValueError("bytes are not latin1")
            self.stack.append(text.encode("latin1"))
        else:
            self.stack.append(_Made(of, arguments))

    _newobj = _reduce

    def _build(self, _):
        (state,) = self._pop(1)
        made = self.stack[-1]
        if made.of in WRAPPER:
            made.state = state | {"data": self._array_bytes(state)}
        else:
            made.state = state

    def _array_bytes(self, wrapper: dict) -> memoryview:
        """The raw bytes that joblib writes after a NumpyArrayWrapper; 1.2 and later pad to align them."""
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            (padding,) = self.file.read(1)
            self.file.seek(padding, io.SEEK_CUR)
        start = self.file.tell()
        end = start + _dtype(wrapper["dtype"]).itemsize * math.prod(_shape(wrapper["shape"]))
        if end > len(self.content):
            raise ValueError("an array ends after the file")
        self.file.seek(end)
        return memoryview(self.content)[start:end]


def _centroids(top) -> np.ndarray:
    if isinstance(top, _Made) and top.of in MODELS:
        top = (top.state or {}).get("cluster_centers_")
        if top is None:
            raise InputError("the k-means was never fitted: it has no cluster_centers_; give a fitted one")
    if not isinstance(top, _Made) or top.of not in RECONSTRUCT | FROM_BUFFER | WRAPPER:
        raise InputError(f"holds no KMeans, MiniBatchKMeans or array; {SAVE_AGAIN}")
    return _array(top)


def _array(made: _Made) -> np.ndarray:
    if made.of in WRAPPER:
        shape, dtype, data = (made.state[field] for field in ("shape", "dtype", "data"))
        order = made.state["order"]
    elif made.of in FROM_BUFFER:
        data, dtype, shape, order = made.arguments
    else:
        _, shape, dtype, fortran, data = made.state
        order = "F" if fortran else "C"
        if isinstance(data, str):  # Python 2 wrote bytes as strings, which pickletools reads as latin1
            data = data.encode("latin1")
    return np.frombuffer(data, _dtype(dtype)).reshape(_shape(shape), order=order)


def _dtype(made: _Made) -> np.dtype:
    code = made.arguments[0]
    if made.of != DTYPE or not re.fullmatch("[fiu][1248]|b1", code):
        raise InputError(f"holds an array of something else than plain numbers; {SAVE_AGAIN}")
    return np.dtype(code).newbyteorder(made.state[1])


def _shape(shape: tuple) -> tuple[int, ...]:
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError("an array has no shape")
    return tuple(shape)
