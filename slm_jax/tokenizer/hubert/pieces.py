"""Cutting recordings into the pieces that are encoded: whole ones, chunks, or chunks with context."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np

from slm_jax.tokenizer.hubert.config import HubertConfig

VARIANCE_FLOOR = 1e-7  # of Wav2Vec2FeatureExtractor


@dataclasses.dataclass(frozen=True)
class Piece:
    """Samples that are encoded together, and what is kept of the frames they give."""

    wave_S: np.ndarray
    keep: slice
    group_norm: Callable[[], np.ndarray] | None  # its recording's (scale, shift)_2xC, computed once


def cut(
    wave_S: np.ndarray,
    model: HubertConfig,
    chunk: int,
    overlap: int,
    normalize: bool,
    group_norm: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[Piece]:
    """The pieces of a recording, in order; none when it is shorter than one frame.

    Longer recordings than `chunk` samples are cut. Without `overlap` each chunk is a recording of its own, as
    in the study; every cut then costs about one frame, for no frame spans two chunks. With an overlap of so
    many frames, a chunk sees that much on either side of the frames it keeps, waveform and group norm are
    normalized over the whole recording, and the frames are those of the uncut recording.
    """
    if len(wave_S) > chunk and not overlap:
        for start in range(0, len(wave_S), chunk):
            yield from cut(wave_S[start : start + chunk], model, chunk, 0, normalize, group_norm)
        return
    frames = model.frames(len(wave_S))
    if normalize:
        wave_S = _normalized(wave_S)
    # When the first piece asks for it: the devices compute earlier batches meanwhile.
    group_norm_of_all = functools.cache(functools.partial(group_norm, wave_S)) if group_norm else None
    kept = frames if len(wave_S) <= chunk else model.frames(chunk) - 2 * overlap
    for start in range(0, frames, max(1, kept)):
        first, last = max(0, start - overlap), min(frames, start + kept + overlap)
        begin = first * model.stride
        piece_S = wave_S[begin : begin + model.samples(last - first)]
        yield Piece(piece_S, slice(start - first, min(frames, start + kept) - first), group_norm_of_all)


def frame_starts(samples: int, model: HubertConfig, chunk: int, overlap: int) -> np.ndarray:
    """The first sample that each frame of a recording sees, start_T; cut as `cut` does it."""
    if samples > chunk and not overlap:
        parts = (
            start + frame_starts(min(chunk, samples - start), model, chunk, 0)
            for start in range(0, samples, chunk)
        )
        return np.concatenate(list(parts))
    return np.arange(model.frames(samples)) * model.stride


def _normalized(wave_S: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance, as Wav2Vec2FeatureExtractor's do_normalize."""
    mean, variance = wave_S.mean(dtype=np.float64), wave_S.var(dtype=np.float64)
    return ((wave_S - mean) / np.sqrt(variance + VARIANCE_FLOOR)).astype(np.float32)
