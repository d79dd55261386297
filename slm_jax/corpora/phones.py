"""Which phone is spoken when: from espeak-ng as it speaks, or from a manifest that has alignments."""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

from slm_jax.corpora import espeak
from slm_jax.corpora.recording import ESPEAK, Recording
from slm_jax.corpora.utterance import VOICES
from slm_jax.errors import InputError

SILENCE = "sil"
_STRESS = str.maketrans("", "", "ˈˌ")


class Phone(NamedTuple):
    """A phone from `start` to `end`, in seconds from the beginning of the recording."""

    start: float
    end: float
    symbol: str


def phone_alignment(text: str, voice: str) -> list[Phone]:
    """The phones of `text` in one of VOICES, as `synthesis.render` speaks it.

    They follow each other without gaps from 0 to the end of the waveform. Symbols are IPA without stress
    marks, pauses are "sil". A phone lasts until the next begins: the few milliseconds that espeak-ng waits
    before some words belong to the phone before them.
    """
    samples_S, phonemes = espeak.render_with_phonemes(text, VOICES[voice])
    starts = [(0, SILENCE), *((event.sample, event.name.translate(_STRESS) or SILENCE) for event in phonemes)]
    ends = [start for start, _ in starts[1:]] + [len(samples_S)]
    phones: list[Phone] = []
    for (start, symbol), end in zip(starts, ends, strict=True):
        if start >= end:
            continue
        start, end = start / espeak.SAMPLE_RATE, end / espeak.SAMPLE_RATE
        if symbol == SILENCE and phones and phones[-1].symbol == SILENCE:
            start = phones.pop().start
        phones.append(Phone(start, end, symbol))
    return phones


def recording_phones(recording: Recording) -> list[Phone] | None:
    """The phones of a recording, or None where they are not known.

    They are its field "phones", a list of [start, end, symbol] in seconds from the beginning of its file;
    without it, those of espeak-ng for text in one of VOICES, which is the speaker of a whole file or stands
    after "espeak:" in the path. A part of a file has what lies in it. Raises InputError for a field that is
    not such a list, in the order of time.
    """
    phones = _checked(recording) if "phones" in recording.fields else _of_espeak(recording)
    return _inside(phones, recording.start or 0.0, recording.seconds) or None


def _of_espeak(recording: Recording) -> list[Phone]:
    voice = recording.speaker
    if not recording.is_file:
        voice = os.fspath(recording.path).removeprefix(ESPEAK)
    elif recording.start is not None:  # whose text may be that of the part
        return []
    return phone_alignment(recording.text, voice) if recording.text and voice in VOICES else []


def _inside(phones: list[Phone], first: float, seconds: float | None) -> list[Phone]:
    last = math.inf if seconds is None else first + seconds
    return [
        Phone(max(start, first) - first, min(end, last) - first, symbol)
        for start, end, symbol in phones
        if end > first and start < last
    ]


def _checked(recording: Recording) -> list[Phone]:
    previous = 0.0
    phones = []
    for row in _rows(recording):
        match row:
            case [float() | int() as start, float() | int() as end, str() as symbol] if (
                previous <= start < end and symbol
            ):
                phones.append(Phone(float(start), float(end), symbol))
                previous = end
            case _:
                raise InputError(
                    f'recording {recording.id!r}: {row!r} in field "phones" is not [start, end, symbol] with '
                    f"{previous:g} <= start < end; give the phones in the order of time, in seconds"
                )
    return phones


def _rows(recording: Recording) -> Sequence:
    rows = recording.fields["phones"]
    if not isinstance(rows, list) or not rows:
        raise InputError(
            f'recording {recording.id!r}: field "phones" is {rows!r}; give a list of [start, end, symbol]'
        )
    return rows
