"""Cutting recordings into the pieces that are encoded: whole ones, chunks, or chunks with context."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from slm_jax.tokenizer.hubert.config import HubertConfig

VARIANCE_FLOOR = 1e-7  # of Wav2Vec2FeatureExtractor


@dataclasses.dataclass(frozen=True)
class Piece:
    """Samples that are encoded together, and what is kept of the frames they give."""

    wave_S: np.ndarray
    keep: slice
    statistics_S: np.ndarray  # the samples over which the group norm takes its mean and variance


def cut(
    wave_S: np.ndarray, model: HubertConfig, chunk: int, overlap: int, normalize: bool
) -> Iterator[Piece]:
    """The pieces of a recording, in order; none when it is shorter than one frame.

    Longer recordings than `chunk` samples are cut. Without `overlap` each chunk is a recording of its own, as
    in the study; every cut then costs about one frame, for no frame spans two chunks. With an overlap of so
    many frames, a chunk sees that much on either side of the frames it keeps, waveform and group norm are
    normalized over the whole recording, and the frames are those of the uncut recording.
    """
    if len(wave_S) > chunk and not overlap:
        for start in range(0, len(wave_S), chunk):
            yield from cut(wave_S[start : start + chunk], model, chunk, 0, normalize)
        return
    frames = model.frames(len(wave_S))
    if normalize:
        wave_S = _normalized(wave_S)
    kept = frames if len(wave_S) <= chunk else model.frames(chunk) - 2 * overlap
    for start in range(0, frames, max(1, kept)):
        first, last = max(0, start - overlap), min(frames, start + kept + overlap)
        begin = first * model.stride
        piece_S = wave_S[begin : begin + model.samples(last - first)]
        yield Piece(piece_S, slice(start - first, min(frames, start + kept) - first), wave_S)


def _normalized(wave_S: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance, as Wav2Vec2FeatureExtractor's do_normalize."""
    mean, variance = wave_S.mean(dtype=np.float64), wave_S.var(dtype=np.float64)
    return ((wave_S - mean) / np.sqrt(variance + VARIANCE_FLOOR)).astype(np.float32)
