"""espeak-ng in this process, through ctypes on the shared library of the espeakng-loader wheel."""

import _ctypes
import ctypes
import pathlib

import espeakng_loader
import numpy as np

from slm_jax.errors import InputError

SAMPLE_RATE = 22050  # of the formant voices

_SYNCHRONOUS, _DONT_EXIT, _UTF8, _BY_CHARACTER = 2, 0x8000, 1, 1  # espeak-ng/speak_lib.h
_OK = 0
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary


def version() -> str:
    """The version of espeak-ng, such as "1.52.0"."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    try:
        return library.espeak_Info(None).decode()
    finally:
        _unload(library._handle)


def render(text: str, espeak_voice: str) -> np.ndarray:
    """Speaks `text`; returns int16 samples_S at 22,050 Hz that depend on nothing but the arguments.

    The library keeps phases of its oscillators, its gain control and its noise generator in static variables
    that neither setting the voice nor terminating and initializing again puts back, so what is spoken would
    depend on what was spoken before. Each call therefore loads the library anew (about 4 ms) and unloads it.

    Raises InputError if espeak-ng does not know the voice.
    """
    language, _, variant = espeak_voice.partition("+")
    if variant and not pathlib.Path(espeakng_loader.get_data_path(), "voices", "!v", variant).is_file():
        raise InputError(f"voice {espeak_voice}: espeak-ng has no variant {variant}")
    samples = bytearray()

    @_CALLBACK
    def collect(wave, count, _events):
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, 2 * count))
        return 0

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data_path = espeakng_loader.get_data_path().encode()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _DONT_EXIT) != SAMPLE_RATE:
            raise RuntimeError(f"espeak-ng could not be initialized from {data_path.decode()}")
        library.espeak_SetSynthCallback(collect)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        if library.espeak_SetVoiceByName(espeak_voice.encode()) != _OK:
            raise InputError(f"voice {espeak_voice}: espeak-ng has no voice {language}")
        encoded = text.encode() + b"\0"
        status = library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _BY_CHARACTER, 0, _UTF8, None, None
        )
        if status != _OK:
            raise RuntimeError(f"espeak-ng returned status {status} for: {text[:60]}")
        library.espeak_Terminate()
    finally:
        _unload(library._handle)
    return np.frombuffer(samples, dtype=np.int16)
