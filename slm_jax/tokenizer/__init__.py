"""Waveform to units: audio loading, features, k-means, collapsing."""

from slm_jax.tokenizer.audio import AudioError, load_audio
from slm_jax.tokenizer.encoders import ENCODERS, Encoder, make_encoder
from slm_jax.tokenizer.mfcc import MFCC
from slm_jax.tokenizer.tokenizer import Tokenizer, copy_tokenizer, fingerprint, read_config

__all__ = [
    "ENCODERS",
    "MFCC",
    "AudioError",
    "Encoder",
    "Tokenizer",
    "copy_tokenizer",
    "fingerprint",
    "load_audio",
    "make_encoder",
    "read_config",
]
