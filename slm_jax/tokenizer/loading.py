"""Audio ahead of an accelerator: loaded by threads, handed over in batches."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer.audio import load_recording

LOADING_THREADS = 4

Loaded = tuple[Recording, np.ndarray | InputError]  # wave_S, or why there is none
Result = TypeVar("Result")


def load(recording: Recording, sample_rate: int) -> Loaded:
    """A recording with its audio, or with the InputError that says why there is none."""
    try:
        return recording, load_recording(recording, sample_rate)
    except InputError as error:
        return recording, error


def load_batches(recordings: Iterable[Recording], sample_rate: int, seconds: float) -> Iterator[list[Loaded]]:
    """Consecutive recordings, at least one and at most `seconds` of audio; the next are loaded ahead."""
    batch, samples = [], 0
    for recording, wave_S in _load_ahead(recordings, sample_rate):
        length = 0 if isinstance(wave_S, InputError) else len(wave_S)
        if batch and samples + length > seconds * sample_rate:
            yield batch
            batch, samples = [], 0
        batch.append((recording, wave_S))
        samples += length
    if batch:
        yield batch


def of_batch(
    function: Callable[[Sequence[np.ndarray]], Sequence[Result]], batch: Sequence[Loaded]
) -> Iterator[Result | InputError]:
    """What `function` makes of all waves at once, in order, and the reason where there is no wave."""
    waves = [wave_S for _, wave_S in batch if not isinstance(wave_S, InputError)]
    results = iter(function(waves) if waves else ())
    for _, wave_S in batch:
        yield wave_S if isinstance(wave_S, InputError) else next(results)


def _load_ahead(recordings: Iterable[Recording], sample_rate: int) -> Iterator[Loaded]:
    """In order; few recordings wait, however long they are."""
    with concurrent.futures.ThreadPoolExecutor(LOADING_THREADS) as pool:
        todo, waiting = iter(recordings), collections.deque()
        while True:
            ahead = itertools.islice(todo, 2 * LOADING_THREADS - len(waiting))
            waiting.extend(pool.submit(load, recording, sample_rate) for recording in ahead)
            if not waiting:
                return
            yield waiting.popleft().result()
