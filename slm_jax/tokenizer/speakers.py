"""What speaker-level normalization subtracts: each speaker's mean features, gathered before encoding."""

import functools
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.corpora.recording import UNKNOWN_SPEAKER
from slm_jax.errors import InputError
from slm_jax.progress import progress
from slm_jax.tokenizer.audio import load_recording
from slm_jax.tokenizer.audio_errors import blamed_on
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.spectrum import MelEncoder, Statistics
from slm_jax.workers import parallel_map

RECORDINGS_PER_SPEAKER = 8


class _Sums(NamedTuple):
    frames: int
    features_D: np.ndarray
    squares_D: np.ndarray

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def speaker_statistics(
    recordings: Iterable[Recording], encoder: Encoder, *, workers: int | None = None
) -> dict[str, Statistics]:
    """Mean and deviation of the features of each speaker; empty for an encoder that needs none.

    They are taken over the frames of eight of the speaker's recordings, the first by a hash of their ids: so
    they depend on which recordings are given, not on their order or the workers. The units of a recording
    depend on them too: from another list of the speaker's recordings come other units. Recordings that
    cannot be used are passed over. Left out are the unknown speaker, who is many, and those without any.
    """
    if not getattr(encoder, "needs_speaker", False):
        return {}
    chosen = [recording for _, sample in sorted(_samples(recordings).items()) for recording in sample]
    found = parallel_map(functools.partial(_sums, encoder), chosen, workers=workers)
    total: dict[str, _Sums] = {}
    for recording, sums in zip(chosen, progress(found, total=len(chosen), desc="speakers"), strict=True):
        if sums is not None:
            total[recording.speaker] = total[recording.speaker] + sums if recording.speaker in total else sums
    return {speaker: _statistics(sums) for speaker, sums in total.items()}


def for_speaker(encoder: Encoder, statistics: Statistics | None) -> Encoder:
    """`encoder` for a speaker's recordings; None: each is normalized by its own statistics alone."""
    return encoder.for_speaker(statistics) if getattr(encoder, "needs_speaker", False) else encoder


def _samples(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    samples: dict[str, list[Recording]] = {}
    for recording in recordings:
        if recording.speaker == UNKNOWN_SPEAKER:
            continue
        sample = samples.setdefault(recording.speaker, [])
        sample.append(recording)
        if len(sample) > RECORDINGS_PER_SPEAKER:
            sample.remove(max(sample, key=_order))
    return {speaker: sorted(sample, key=_order) for speaker, sample in samples.items()}


def _order(recording: Recording) -> tuple[bytes, str]:
    return hashlib.sha256(f"speaker {recording.id}".encode()).digest(), recording.id


def _sums(encoder: MelEncoder, recording: Recording) -> _Sums | None:
    try:
        with blamed_on(recording.path):
            features_TxD = encoder.unnormalized(load_recording(recording, encoder.sample_rate))
    except InputError:
        return None
    features_TxD = features_TxD.astype(np.float64)
    return _Sums(len(features_TxD), features_TxD.sum(0), (features_TxD**2).sum(0))


def _statistics(sums: _Sums) -> Statistics:
    mean_D = sums.features_D / sums.frames
    variance_D = np.maximum(sums.squares_D / sums.frames - mean_D**2, 0)
    return Statistics(mean_D.astype(np.float32), np.sqrt(variance_D).astype(np.float32))
