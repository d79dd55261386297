"""Clips of a study: MP3 files small enough for a page, each with what is said in it."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from slm_jax.errors import InputError

SAMPLE_RATE = 16_000
LARGEST_CLIP, LARGEST_OF_ALL = 60_000, 1_500_000  # bytes
COMPRESSION = 0.85  # 32 kbit a second
FADE_SECONDS = 0.05  # speech that stops at once ends with a click


class Clips:
    """Writes clips into a folder, for as long as they fit into a page."""

    def __init__(self, folder: pathlib.Path):
        self._folder, self._bytes, self._count = folder, 0, 0

    def sound(self, wave_S: np.ndarray, sample_rate: int, *, title: str, text: str, voice: str) -> dict:
        """A clip of a wave in -1..1; raises InputError when it, or all so far with it, would be too large."""
        if sample_rate != SAMPLE_RATE:
            wave_S = soxr.resample(wave_S, sample_rate, SAMPLE_RATE)
        path = self._folder / f"{self._count:02d}.mp3"
        soundfile.write(
            path,
            np.clip(wave_S, -1, 1).astype(np.float32),
            SAMPLE_RATE,
            format="MP3",
            compression_level=COMPRESSION,
            bitrate_mode="CONSTANT",
        )
        size = path.stat().st_size
        if size > LARGEST_CLIP or self._bytes + size > LARGEST_OF_ALL:
            path.unlink()
            raise InputError(f"{len(wave_S) / SAMPLE_RATE:.0f} s of sound are too large for a page")
        self._bytes, self._count = self._bytes + size, self._count + 1
        return {"title": title, "text": text, "voice": words(voice), "file": path.name}


def written(title: str, text: str) -> dict:
    """A clip that is read, not heard."""
    return {"title": title, "text": text, "voice": "", "file": None}


@contextlib.contextmanager
def left_out_if_it_fails(what: str) -> Iterator[None]:
    """Says why there is no such example and goes on: a study is worth more than a clip."""
    try:
        yield
    except Exception as error:
        print(f"  no example of {what}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)


def beginning(wave_S: np.ndarray, sample_rate: int, seconds: float, text: str) -> tuple[np.ndarray, str]:
    """The first `seconds` of a recording, faded out, and about the words that are said in them."""
    samples = round(seconds * sample_rate)
    if len(wave_S) <= samples:
        return wave_S, text
    cut_S = wave_S[:samples].copy()
    fade = round(FADE_SECONDS * sample_rate)
    cut_S[-fade:] *= np.linspace(1, 0, fade, dtype=cut_S.dtype)
    return cut_S, first_words(text, samples / len(wave_S))


def first_words(text: str, share: float) -> str:
    """About this share of a text's words, with an ellipsis for the rest."""
    found = text.split()
    return " ".join(found[: max(1, round(share * len(found)))]) + " …" if found else ""


def words(name: str) -> str:
    """A name as it is read: us_female is us female."""
    return name.replace("_", " ")
