"""The encoders a tokenizer can name: one class per file, listed here and nowhere else."""

from typing import Protocol

import numpy as np

from slm_jax.errors import InputError
from slm_jax.tokenizer.logmel import LogMel
from slm_jax.tokenizer.mfcc import MFCC


class Encoder(Protocol):
    """Waveform to feature frames. Instances are picklable: worker processes receive a copy."""

    name: str
    sample_rate: int  # Hz, of the waveform it expects
    frame_rate: int  # feature frames per second
    dim: int  # D
    parameters: dict  # JSON; ENCODERS[name](**parameters) is this encoder again

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """features_TxD, float32; raises InputError when the recording is shorter than one frame."""


ENCODERS: dict[str, type[Encoder]] = {encoder.name: encoder for encoder in (LogMel, MFCC)}


def make_encoder(name: str, parameters: dict) -> Encoder:
    """The encoder `name` with `parameters`; raises InputError for an unknown name or parameter."""
    if name not in ENCODERS:
        raise InputError(f"encoder {name!r} is unknown; the encoders are: {', '.join(sorted(ENCODERS))}")
    try:
        return ENCODERS[name](**parameters)
    except TypeError as error:
        raise InputError(f"encoder {name!r}: the parameters do not fit ({error})") from None
