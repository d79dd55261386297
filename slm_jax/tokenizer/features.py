"""Features of many recordings, in their order: on all cores, or in batches on the devices."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer.audio import load_recording
from slm_jax.tokenizer.audio_errors import blamed_on
from slm_jax.tokenizer.encoders import DeviceEncoder, Encoder
from slm_jax.tokenizer.loading import load_batches, of_batch
from slm_jax.tokenizer.speakers import for_speaker, speaker_statistics
from slm_jax.tokenizer.spectrum import Statistics
from slm_jax.workers import parallel_map

BATCH_SECONDS = 300.0  # of audio that an encoder on a device gets at once


def recording_features(
    encoder: Encoder, recordings: Sequence[Recording], workers: int | None = None
) -> Iterator[np.ndarray | InputError]:
    """features_TxD of each recording, or why there are none: one bad file must not stop the work.

    An encoder on a device runs here in this process, any other in `workers` processes. What normalization by
    speaker subtracts comes from these recordings.
    """
    if encoder.on_device:
        return _on_device(encoder, recordings)
    speakers = speaker_statistics(recordings, encoder, workers=workers)
    return parallel_map(functools.partial(_features, encoder, speakers), recordings, workers=workers)


def _features(
    encoder: Encoder, speakers: Mapping[str, Statistics], recording: Recording
) -> np.ndarray | InputError:
    try:
        with blamed_on(recording.path):
            encoder = for_speaker(encoder, speakers.get(recording.speaker))
            return encoder(load_recording(recording, encoder.sample_rate))
    except InputError as error:
        return error


def _on_device(encoder: DeviceEncoder, recordings: Iterable[Recording]) -> Iterator[np.ndarray | InputError]:
    for batch in load_batches(recordings, encoder.sample_rate, BATCH_SECONDS):
        yield from of_batch(encoder.many, batch)
