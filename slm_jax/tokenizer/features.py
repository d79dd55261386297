"""Features of many recordings, in their order: over all cores, or on the devices with audio loaded ahead."""

import concurrent.futures
import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from slm_jax.cores import worker_count
from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer.audio import load_recording
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.workers import parallel_map

BATCH_SECONDS = 300.0  # of audio given to an encoder on a device at once
BATCH_RECORDINGS = 64


def recording_features(
    encoder: Encoder, recordings: Iterable[Recording], workers: int | None = None
) -> Iterator[np.ndarray | InputError]:
    """features_TxD of each recording, or why there are none: one bad file must not stop the work.

    An encoder on a device gets batches of bounded length here in this process, loaded by `workers` threads;
    any other runs in that many processes.
    """
    if getattr(encoder, "on_device", False):
        return _on_device(encoder, recordings, workers)
    return parallel_map(functools.partial(_features, encoder), recordings, workers=workers)


def _features(encoder: Encoder, recording: Recording) -> np.ndarray | InputError:
    try:
        return encoder(load_recording(recording, encoder.sample_rate))
    except InputError as error:
        return error


def _load(encoder: Encoder, recording: Recording) -> np.ndarray | InputError:
    try:
        return load_recording(recording, encoder.sample_rate)
    except InputError as error:
        return error


def _on_device(encoder: Encoder, recordings: Iterable[Recording], workers: int | None):
    batch: list[np.ndarray | InputError] = []
    with contextlib.closing(_ahead(functools.partial(_load, encoder), recordings, workers)) as loaded:
        for wave_S in loaded:
            batch.append(wave_S)
            seconds = sum(len(w) for w in batch if isinstance(w, np.ndarray)) / encoder.sample_rate
            if seconds >= BATCH_SECONDS or len(batch) == BATCH_RECORDINGS:
                yield from _encode(encoder, batch)
                batch = []
    yield from _encode(encoder, batch)


def _encode(encoder: Encoder, batch: list[np.ndarray | InputError]) -> Iterator[np.ndarray | InputError]:
    waves = [wave_S for wave_S in batch if isinstance(wave_S, np.ndarray)]
    features = iter(encoder.many(waves) if waves else [])
    for wave_S in batch:
        yield next(features) if isinstance(wave_S, np.ndarray) else wave_S


def _ahead(function, jobs: Iterable, workers: int | None):
    """function(job) of every job in order, by threads that work on the next jobs meanwhile."""
    jobs = iter(jobs)
    threads = worker_count(workers)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(function, job) for job in itertools.islice(jobs, 2 * threads)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(function, job) for job in itertools.islice(jobs, 1))
        finally:
            for future in waiting:
                future.cancel()
