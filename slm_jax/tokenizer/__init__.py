"""Waveform to units: audio loading, features, k-means, collapsing."""

from slm_jax.tokenizer.audio import AudioError, is_uri, load_audio, load_recording
from slm_jax.tokenizer.encoders import ENCODERS, Encoder, make_encoder
from slm_jax.tokenizer.fit import fit_tokenizer
from slm_jax.tokenizer.folder import copy_tokenizer, fingerprint, read_config
from slm_jax.tokenizer.logmel import LogMel
from slm_jax.tokenizer.mfcc import MFCC
from slm_jax.tokenizer.tokenizer import Tokenizer
from slm_jax.tokenizer.workers import parallel_map

__all__ = [
    "ENCODERS",
    "MFCC",
    "AudioError",
    "Encoder",
    "LogMel",
    "Tokenizer",
    "copy_tokenizer",
    "fingerprint",
    "fit_tokenizer",
    "is_uri",
    "load_audio",
    "load_recording",
    "make_encoder",
    "parallel_map",
    "read_config",
]
