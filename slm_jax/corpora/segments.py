"""Long recordings as parts: cut where it is quiet, or into equal lengths."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import soundfile

from slm_jax.corpora.recording import END_ROUNDING, Recording, part_id
from slm_jax.errors import InputError

HOP_SECONDS = 0.01
SMOOTHED_HOPS = 20  # a cut lies in the middle of the quietest 0.2 s
HOPS_AT_ONCE = 6000
UNREADABLE = (soundfile.LibsndfileError, OSError, RuntimeError, TypeError)  # TypeError: headerless .raw


def segment(
    recordings: Iterable[Recording], *, max_seconds: float = 30.0, cut: str = "silence"
) -> Iterator[Recording]:
    """Recordings of at most `max_seconds` s: longer ones become parts that cover them with no gap or overlap.

    `cut` is "silence", at the quietest 0.2 s in the later half of each part (the audio is read, a minute at a
    time; no part but one of a short recording is shorter than a quarter of max_seconds), or "uniform", into
    equal lengths (only headers are read). A part's id is ID-CENTISECONDS, by its start; its parent is the
    recording, and it has no text. What cannot be read, and audio that is no file, is passed on as it is:
    loading it says what is wrong. Raises InputError when an argument is out of range.
    """
    if not 1 <= max_seconds < math.inf:
        raise InputError(f"max_seconds is {max_seconds:g}: give the longest part in seconds, 1 or more")
    if cut not in CUTS:
        raise InputError(f"cut is {cut!r}: choose from {', '.join(CUTS)}")
    return (part for recording in recordings for part in _segmented(recording, max_seconds, CUTS[cut]))


def parts_between(recording: Recording, frames: list[int], rate: int) -> list[Recording]:
    """The parts of a recording from each of `frames` to the next, at `rate` Hz.

    The last part of a recording without `seconds` has none either, and goes on to the end of the file.
    """
    parts = [
        dataclasses.replace(
            recording,
            id=part_id(recording.id, first / rate),
            start=first / rate,
            seconds=(last - first) / rate,
            text=None,
            parent=recording.parent or recording.id,
        )
        for first, last in itertools.pairwise(frames)
    ]
    if recording.seconds is None:
        parts[-1] = dataclasses.replace(parts[-1], seconds=None)
    return parts


def _segmented(recording: Recording, max_seconds: float, cut: Callable) -> Iterable[Recording]:
    if not recording.is_file or (recording.seconds is not None and recording.seconds <= max_seconds):
        return [recording]
    try:
        info = soundfile.info(recording.path)
        rate, start = info.samplerate, recording.start or 0.0
        first = round(start * rate)
        last = info.frames if recording.seconds is None else round((start + recording.seconds) * rate)
        if last - first <= max_seconds * rate or last > info.frames + END_ROUNDING * rate:
            return [recording]
        last = min(last, info.frames)
        cuts = cut(recording, first, last, rate, max_seconds)
    except UNREADABLE:
        return [recording]
    return parts_between(recording, [first, *cuts, last], rate)


def _uniform_cuts(_: Recording, first: int, last: int, rate: int, max_seconds: float) -> list[int]:
    count = math.ceil((last - first) / int(max_seconds * rate))
    return [first + (last - first) * index // count for index in range(1, count)]


def _quiet_cuts(recording: Recording, first: int, last: int, rate: int, max_seconds: float) -> list[int]:
    hop = max(1, round(HOP_SECONDS * rate))
    energy_H = np.convolve(_energies(recording, first, last, hop), np.ones(SMOOTHED_HOPS), "same")
    longest = int(max_seconds * rate) // hop
    cuts = [0]
    while len(energy_H) - cuts[-1] > longest:
        earliest = cuts[-1] + longest // 2
        latest = min(cuts[-1] + longest, len(energy_H) - longest // 4)  # leaves no scrap behind
        cuts.append(latest - int(np.argmin(energy_H[earliest : latest + 1][::-1])))
    return [first + hop * cut for cut in cuts[1:]]


def _energies(recording: Recording, first: int, last: int, hop: int) -> np.ndarray:
    """Mean squares of the hops of a recording; the last hop may be short."""
    energies, samples = [], 0
    with soundfile.SoundFile(recording.path) as file:
        file.seek(first)
        for block_SxC in file.blocks(
            blocksize=hop * HOPS_AT_ONCE, frames=last - first, dtype="float32", always_2d=True
        ):
            samples += len(block_SxC)
            power_S = block_SxC.mean(axis=1) ** 2
            power_S = np.pad(power_S, (0, -len(power_S) % hop))
            energies.append(power_S.reshape(-1, hop).mean(axis=1))
    if samples != last - first:
        raise RuntimeError("truncated")
    return np.concatenate(energies)


CUTS = {"silence": _quiet_cuts, "uniform": _uniform_cuts}
