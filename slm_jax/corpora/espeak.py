"""espeak-ng in this process, through ctypes on the shared library of the espeakng-loader wheel."""

import _ctypes
import contextlib
import ctypes
import pathlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

import espeakng_loader
import numpy as np

from slm_jax.errors import InputError

SAMPLE_RATE = 22050  # of the formant voices

# espeak-ng/speak_lib.h
_SYNCHRONOUS, _DONT_EXIT, _PHONEME_EVENTS, _IPA, _UTF8, _BY_CHARACTER = 2, 0x8000, 1, 2, 1, 1
_LIST_TERMINATED, _PHONEME = 0, 7
_OK = 0


class _Event(ctypes.Structure):
    """espeak_EVENT; its union `id` is declared as what it is in a phoneme event, a name of up to 8 bytes."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),  # the same, exact
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
_unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary
_alone = threading.Lock()


class PhonemeEvent(NamedTuple):
    """A phoneme begins: the sample it begins at, and its IPA name with stress marks, empty for a pause."""

    sample: int
    name: str


def version() -> str:
    """The version of espeak-ng, such as "1.52.0"."""
    with _library() as library:
        library.espeak_Info.restype = ctypes.c_char_p
        return library.espeak_Info(None).decode()


def render(text: str, espeak_voice: str) -> np.ndarray:
    """Speaks `text`; returns int16 samples_S at 22,050 Hz that depend on nothing but the arguments.

    Raises InputError if espeak-ng does not know the voice.
    """
    return render_with_phonemes(text, espeak_voice)[0]


def render_with_phonemes(text: str, espeak_voice: str) -> tuple[np.ndarray, list[PhonemeEvent]]:
    """Speaks `text`: int16 samples_S as those of `render`, and the phonemes in the order of their samples.

    The library keeps phases of its oscillators, its gain control and its noise generator in static variables
    that neither setting the voice nor terminating and initializing again puts back, so what is spoken would
    depend on what was spoken before. Each call therefore loads the library anew (about 4 ms) and unloads it.
    A process has one copy of the library, so its threads speak one after the other; processes do not wait.
    """
    language, _, variant = espeak_voice.partition("+")
    if variant and not pathlib.Path(espeakng_loader.get_data_path(), "voices", "!v", variant).is_file():
        raise InputError(f"voice {espeak_voice}: espeak-ng has no variant {variant}")
    samples = bytearray()
    phonemes: list[PhonemeEvent] = []

    @_CALLBACK
    def collect(wave, count, events):
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, 2 * count))
        for event in events:
            if event.type == _LIST_TERMINATED:
                return 0
            if event.type == _PHONEME:
                # a long name fills its 8 bytes, which may cut its last letter
                phonemes.append(PhonemeEvent(event.sample, event.name.decode(errors="ignore")))

    with _library() as library:
        data_path = espeakng_loader.get_data_path().encode()
        options = _DONT_EXIT | _PHONEME_EVENTS | _IPA
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, options) != SAMPLE_RATE:
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
    return np.frombuffer(samples, dtype=np.int16), phonemes


@contextlib.contextmanager
def _library() -> Iterator[ctypes.CDLL]:
    """The library as it is when it was just loaded."""
    with _alone:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        try:
            yield library
        finally:
            _unload(library._handle)
