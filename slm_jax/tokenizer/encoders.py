"""The encoders a tokenizer can name: one class per file or package, listed here; or a user's Python file."""

import copyreg
import functools
import inspect
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from slm_jax.errors import InputError
from slm_jax.extensions import PYTHON, load_file
from slm_jax.tokenizer.hubert import HuBERT
from slm_jax.tokenizer.logmel import LogMel
from slm_jax.tokenizer.mfcc import MFCC

FILES = "encoder"  # the folder in a tokenizer's folder that holds the weights of its encoder


class Encoder(Protocol):
    """Waveform to feature frames. Instances are picklable: worker processes receive a copy."""

    name: str
    sample_rate: int  # Hz, of the waveform it expects
    frame_rate: int | float  # feature frames per second
    dim: int  # D
    parameters: dict  # JSON; make_encoder(name, parameters) is this encoder again
    on_device: bool  # whether JAX runs it, and one process takes all cores or accelerators: a DeviceEncoder

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """features_TxD, float32; raises InputError when the recording is shorter than one frame."""


class DeviceEncoder(Encoder, Protocol):
    """An encoder with weights in files: make_encoder(name, parameters, folder) is it again."""

    files: Sequence[pathlib.Path]  # all in one folder

    def check_files(self) -> None:
        """Raises InputError naming the file that is missing or not what `parameters` say."""

    def check_import(self) -> None:
        """Raises InputError naming a setting that centroids fitted elsewhere depend on and nobody gave."""

    def many(self, waves: Sequence[np.ndarray]) -> list[np.ndarray | InputError]:
        """features_TxD of each waveform, or why there are none; a batch moves no feature."""


ENCODERS: dict[str, type[Encoder]] = {encoder.name: encoder for encoder in (HuBERT, LogMel, MFCC)}


def new_encoder(name: str, settings: dict, *, weights: str | os.PathLike | None = None) -> Encoder:
    """The encoder `name` with what `settings` say of it; one with weights takes them from a local folder.

    `name` is one of ENCODERS, or the path of a Python file with a class Encoder (docs/extending.md). Raises
    InputError for an unknown name or setting, and for weights that are missing, wrong or not needed.
    """
    encoder = _named(name)
    if encoder.on_device and weights is None:
        raise InputError(f"encoder {name!r} has weights; give their folder (slm: --weights DIR)")
    if weights is not None and not encoder.on_device:
        raise InputError(f"encoder {name!r} has no weights; leave them out (slm: --weights)")
    if encoder.on_device:
        return _made(name, encoder.from_folder, weights, **settings)
    return _made(name, encoder, **settings)


def make_encoder(name: str, parameters: dict, directory: str | os.PathLike | None = None) -> Encoder:
    """The encoder `name` with `parameters`; `directory` is the tokenizer's folder, which holds its weights.

    Raises InputError for an unknown name or parameter. Weights are read when they are needed: `check_files`.
    """
    encoder = _named(name)
    if encoder.on_device and directory is None:
        raise InputError(f"encoder {name!r} has weights; give the folder that holds them")
    place = (pathlib.Path(directory) / FILES,) if encoder.on_device else ()
    return _made(name, encoder, *place, **parameters)


def _named(name: str) -> type[Encoder]:
    if name.endswith(PYTHON):
        return _of_file(name)
    if name not in ENCODERS:
        raise InputError(
            f"encoder {name!r} is unknown; the encoders are: {', '.join(sorted(ENCODERS))}, or the path of a "
            "Python file (docs/extending.md)"
        )
    return ENCODERS[name]


def _of_file(path: str) -> type[Encoder]:
    found = getattr(load_file(path, "encoder"), "Encoder", None)
    if found is None:
        raise InputError(f"encoder {path!r}: the file has no class Encoder")
    return _called(path, found)


@functools.cache
def _called(path: str, found: type) -> type[Encoder]:
    """The class of a user's file with the path as its name, by which worker processes find it too."""
    encoder = type(found.__name__, (found,), {"name": path, "on_device": getattr(found, "on_device", False)})
    if not encoder.on_device:
        copyreg.pickle(encoder, lambda instance: (make_encoder, (path, instance.parameters)))
    return encoder


def _made(name: str, make: Callable[..., Encoder], *place: str | os.PathLike, **settings) -> Encoder:
    known = list(inspect.signature(make).parameters.values())[len(place) :]
    names = [parameter.name for parameter in known]
    for setting in settings:
        if setting not in names:
            raise InputError(f"encoder {name!r} has no setting {setting!r}; it has {', '.join(names)}")
    for parameter in known:
        if parameter.default is parameter.empty and parameter.name not in settings:
            raise InputError(f"encoder {name!r} needs {parameter.name!r} (slm: --set {parameter.name}=...)")
    try:
        return make(*place, **settings)
    except TypeError as error:  # of a value that is not of the setting's type
        raise InputError(f"encoder {name!r}: the settings do not fit ({error})") from None
