"""What a pickle of a k-means says, without ever running it.

A pickle is a program: loading one imports and calls what the file names. Here
`pickletools.genops` only splits the bytes into opcodes, and the few opcodes an array needs are interpreted on
inert values: a global is a pair of strings that is never imported, a call or a new object is a record of its
parts that is never made. So there is nothing that a file could run, even if the list of names below were
wrong; the list exists so that a file which asks for anything else is refused by name. A `pickle.Unpickler`
with a restricted `find_class` would still call our stand-ins and set their state, and its C version reads
ahead, past the raw bytes that joblib puts between the opcodes.

Values that a file makes may be nested without limit and share their parts: none but strings and numbers is
ever hashed, compared or printed.
"""

import dataclasses
import io
import math
import pickletools
import re
import sys
from typing import Any, ClassVar

import numpy as np

from slm_jax.errors import InputError

MAX_BYTES = 2**30  # 20,000 centroids of 1,280 float64 numbers are 0.2 GB; a zip bomb is more
STEP_BYTES = 2**10  # that any opcode counts for: a k-means has a few hundred
MAX_DIMENSIONS = 32
SAVE_AGAIN = "save its cluster_centers_ with numpy.save where the file is trusted, and give the .npy"
TOO_LARGE = f"holds more than 1 GiB, too much for centroids; {SAVE_AGAIN}"

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
class Name:
    module: str
    name: str


@dataclasses.dataclass(repr=False, eq=False)
class Made:
    """What a call or a new object would have been."""

    of: tuple[str, str]
    arguments: tuple
    state: Any = None
    raw: memoryview | None = None  # what joblib wrote after it


class PickleReader:
    """Interprets one pickle on inert values.

    Raises InputError for what no k-means needs; a file that is not well formed raises whatever it comes to.
    """

    def __init__(self, content: bytes):
        self.content = content
        self.file = io.BytesIO(content)
        self.stack: list = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.bytes_left = MAX_BYTES

    def read(self):
        """The value that the pickle holds."""
        for opcode, argument, _ in pickletools.genops(self.file):
            name = opcode.name
            self._spend(STEP_BYTES + sys.getsizeof(argument))
            if name in VALUES:
                self.stack.append(argument)
            elif name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in TUPLES:
                self.stack.append(self._pop(TUPLES[name]))
            elif name == "STOP":
                return self.stack[-1]
            elif name in self.STEPS:
                self.STEPS[name](self, argument)
            elif name not in ("PROTO", "FRAME"):
                raise InputError(f"uses pickle opcode {name}, which no k-means needs; {SAVE_AGAIN}")
        raise ValueError("no STOP")

    def _spend(self, size: int):
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise InputError(TOO_LARGE)

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

    def _global(self, argument: str):
        self._push_name(*argument.split(" ", 1))

    def _stack_global(self, _):
        self._push_name(*self._pop(2))

    def _push_name(self, module: str, name: str):
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name is no text")
        if (module, name) not in NAMES:
            asked = f"{module}.{name}"[:100]
            raise InputError(f"asks for {asked}, which no k-means needs: do not load it elsewhere")
        self.stack.append(Name(module, name))

    def _reduce(self, _):
        called, arguments = self._pop(2)
        of = (called.module, called.name)
        if of == ENCODE:
            text, encoding = arguments
            if not (isinstance(text, str) and isinstance(encoding, str) and encoding == "latin1"):
                raise ValueError("bytes are not latin1")
            self._spend(len(text))
            self.stack.append(text.encode("latin1"))
        else:
            self.stack.append(Made(of, arguments))

    def _build(self, _):
        (state,) = self._pop(1)
        made = self.stack[-1]
        made.state = state
        if made.of in WRAPPER:
            made.raw = self._array_bytes(state)

    def _array_bytes(self, wrapper: dict) -> memoryview:
        """The raw bytes that joblib writes after a NumpyArrayWrapper; 1.2 and later pad to align them."""
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            (padding,) = self.file.read(1)
            self.file.seek(padding, io.SEEK_CUR)
        start = self.file.tell()
        end = start + array_dtype(wrapper["dtype"]).itemsize * math.prod(array_shape(wrapper["shape"]))
        if end > len(self.content):
            raise ValueError("an array ends after the file")
        self.file.seek(end)
        return memoryview(self.content)[start:end]

    STEPS: ClassVar = {
        "MARK": _mark,
        "TUPLE": _tuple,
        "EMPTY_LIST": _empty_list,
        "EMPTY_DICT": _empty_dict,
        "APPEND": _append,
        "APPENDS": _appends,
        "SETITEM": _setitem,
        "SETITEMS": _setitems,
        "MEMOIZE": _memoize,
        **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
        "GLOBAL": _global,
        "STACK_GLOBAL": _stack_global,
        "REDUCE": _reduce,
        "NEWOBJ": _reduce,
        "BUILD": _build,
    }


def array_dtype(made: Made) -> np.dtype:
    """The numbers of an array; raises InputError for anything else."""
    code = made.arguments[0]
    if made.of != DTYPE or not re.fullmatch("[fiu][1248]|b1", code):
        raise InputError(f"holds an array of something else than plain numbers; {SAVE_AGAIN}")
    order = made.state[1]
    if not (isinstance(order, str) and order in ("<", ">", "|", "=")):
        raise ValueError("an array has no byte order")
    return np.dtype(code).newbyteorder(order)


def array_shape(shape: tuple) -> tuple[int, ...]:
    """The shape of an array; raises ValueError when it is none."""
    if not (
        isinstance(shape, tuple)
        and len(shape) <= MAX_DIMENSIONS
        and all(isinstance(size, int) and 0 <= size <= MAX_BYTES for size in shape)
    ):
        raise ValueError("an array has no shape")
    return shape
