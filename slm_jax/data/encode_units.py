"""Recordings to the unit of every frame: one by one on a core, or in batches on accelerators."""

import collections
import concurrent.futures
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer import Tokenizer, load_recording
from slm_jax.tokenizer.speakers import for_speaker
from slm_jax.tokenizer.spectrum import Statistics

BATCH_SECONDS = 600.0  # of audio that an accelerator gets at once
LOADING_THREADS = 4

Loaded = tuple[Recording, np.ndarray | InputError]  # wave_S, or why there is none
Encoded = tuple[Recording, float, np.ndarray | InputError]  # seconds and units_T, or why there are none


def encode_each(
    tokenizer: Tokenizer, recordings: Iterable[Recording], speakers: Mapping[str, Statistics]
) -> Iterator[Encoded]:
    """The units of every frame of every recording, in order, or the InputError that says why there are none.

    `speakers` has the statistics of the speakers where the encoder normalizes by them.
    In memory is the audio of one recording; for encoders that run on accelerators that of three batches of
    BATCH_SECONDS: one is computed, one waits, one is loaded.
    """
    if not tokenizer.encoder.on_device:
        for recording in recordings:
            encoder = for_speaker(tokenizer.encoder, speakers.get(recording.speaker))
            yield from _encode_batch(
                dataclasses.replace(tokenizer, encoder=encoder), [_load(tokenizer, recording)]
            )
        return
    with concurrent.futures.ThreadPoolExecutor(1) as device:
        computing = None
        for batch in _batches(_load_ahead(tokenizer, recordings), BATCH_SECONDS * tokenizer.sample_rate):
            waiting = device.submit(_encode_batch, tokenizer, batch)
            if computing:
                yield from computing.result()
            computing = waiting
        if computing:
            yield from computing.result()


def _encode_batch(tokenizer: Tokenizer, batch: list[Loaded]) -> list[Encoded]:
    waves = [wave_S for _, wave_S in batch if not isinstance(wave_S, InputError)]
    units = iter(tokenizer.encode_many(waves) if waves else ())
    encoded = []
    for recording, wave_S in batch:
        if isinstance(wave_S, InputError):
            encoded.append((recording, 0.0, wave_S))
            continue
        units_T = next(units)
        if isinstance(units_T, InputError):
            units_T = InputError(f"{recording.path}: {units_T}")
        encoded.append((recording, len(wave_S) / tokenizer.sample_rate, units_T))
    return encoded


def _load(tokenizer: Tokenizer, recording: Recording) -> Loaded:
    try:
        return recording, load_recording(recording, tokenizer.sample_rate)
    except InputError as error:
        return recording, error


def _load_ahead(tokenizer: Tokenizer, recordings: Iterable[Recording]) -> Iterator[Loaded]:
    """Loads in threads, in order; few recordings wait, however long they are."""
    with concurrent.futures.ThreadPoolExecutor(LOADING_THREADS) as pool:
        todo, waiting = iter(recordings), collections.deque()
        while True:
            ahead = itertools.islice(todo, 2 * LOADING_THREADS - len(waiting))
            waiting.extend(pool.submit(_load, tokenizer, recording) for recording in ahead)
            if not waiting:
                return
            yield waiting.popleft().result()


def _batches(loaded: Iterable[Loaded], samples: float) -> Iterator[list[Loaded]]:
    """Consecutive recordings, as many as `samples` allow, at least one."""
    batch, size = [], 0
    for recording, wave_S in loaded:
        length = 0 if isinstance(wave_S, InputError) else len(wave_S)
        if batch and size + length > samples:
            yield batch
            batch, size = [], 0
        batch.append((recording, wave_S))
        size += length
    if batch:
        yield batch
