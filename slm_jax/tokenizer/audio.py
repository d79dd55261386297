"""Loading audio: any format libsndfile reads, as one mono channel at the rate an encoder expects."""

import os
import re

import numpy as np
import soundfile
import soxr

from slm_jax.errors import InputError

# A header may say 2 GiB or more when the writer streamed and did not know the length: that is no truncation.
STREAMED_BYTES = 2**31 - 2**16
MIN_FRACTION = 0.95  # an MP3 without a length tag is estimated by its bit rate, a few percent off


class AudioError(InputError):
    """A recording that cannot be used; the message names the file and the reason."""


def load_audio(path: str | os.PathLike, sample_rate: int) -> np.ndarray:
    """Reads a recording as wave_S, float32 mono in [-1, 1] at `sample_rate` Hz.

    Channels are averaged; other rates are resampled with soxr HQ. Raises AudioError for a file that is
    missing, empty, truncated or not audio, that holds NaN or infinite samples, or whose name is not UTF-8.
    """
    wave_S, rate = _read(os.fspath(path))
    if not np.isfinite(wave_S).all():
        raise AudioError(f"{path}: holds NaN or infinite samples")
    if rate != sample_rate:
        wave_S = soxr.resample(wave_S, rate, sample_rate, quality="HQ")
    return wave_S


def _read(path: str) -> tuple[np.ndarray, int]:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise AudioError(f"{path!r}: the name is not UTF-8; rename the file") from None
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            wave_SxC = file.read(dtype="float32", always_2d=True)
            declared, rate, header = file.frames, file.samplerate, file.extra_info
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # TypeError: headerless .raw
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise AudioError(f"{path}: truncated or not audio that libsndfile reads ({reason})") from None
    if len(wave_SxC) < MIN_FRACTION * declared or _header_reports_truncation(header):
        raise AudioError(f"{path}: is truncated (only {len(wave_SxC) / rate:.2f} s can be read)")
    if len(wave_SxC) == 0:
        raise AudioError(f"{path}: holds no samples")
    return (wave_SxC[:, 0] if wave_SxC.shape[1] == 1 else wave_SxC.mean(axis=1)), rate


def _header_reports_truncation(header: str) -> bool:
    """libsndfile reads a cut WAV or Ogg file without an error but leaves a note in its log."""
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", header, re.MULTILINE)
    if sizes:
        declared, found = map(int, sizes.groups())
        return found < declared < STREAMED_BYTES
    return "lacks an end-of-stream bit" in header and "Junk after the last page" in header
