"""Recordings to the unit of every frame: one by one on a core, or in batches on accelerators."""

import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.errors import InputError, WorkError
from slm_jax.tokenizer import Tokenizer
from slm_jax.tokenizer.audio_errors import blamed_on
from slm_jax.tokenizer.loading import Loaded, load, load_batches, of_batch
from slm_jax.tokenizer.speakers import for_speaker
from slm_jax.tokenizer.spectrum import Statistics

BATCH_SECONDS = 600.0  # of audio that an accelerator gets at once

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
            try:
                with blamed_on(recording.path):
                    batch = [load(recording, tokenizer.sample_rate)]
                    encoded = _encode_batch(dataclasses.replace(tokenizer, encoder=encoder), batch)
            except InputError as error:
                encoded = [(recording, 0.0, error)]
            yield from encoded
        return
    with concurrent.futures.ThreadPoolExecutor(1) as device:
        computing = None
        for batch in load_batches(recordings, tokenizer.sample_rate, BATCH_SECONDS):
            waiting = device.submit(_encode_batch, tokenizer, batch)
            if computing:
                yield from computing.result()
            computing = waiting
        if computing:
            yield from computing.result()


@contextlib.contextmanager
def resumable_read_errors() -> Iterator[None]:
    """Makes an OSError a WorkError: what a file system does now says nothing of the recording itself."""
    try:
        yield
    except OSError as error:
        raise WorkError(
            f"a recording could not be read ({error}); when the file system is well, run the same command "
            "again, it continues where it stopped"
        ) from error


def _encode_batch(tokenizer: Tokenizer, batch: list[Loaded]) -> list[Encoded]:
    encoded = []
    for (recording, wave_S), units_T in zip(batch, of_batch(tokenizer.encode_many, batch), strict=True):
        if isinstance(wave_S, InputError):
            encoded.append((recording, 0.0, wave_S))
            continue
        if isinstance(units_T, InputError):
            units_T = InputError(f"{recording.path}: {units_T}")
        encoded.append((recording, len(wave_S) / tokenizer.sample_rate, units_T))
    return encoded
