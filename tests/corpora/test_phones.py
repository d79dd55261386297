"""The times of phones, against the waveform that is spoken."""

import dataclasses
import itertools
import pathlib

import numpy as np
import pytest

from slm_jax.corpora import VOICES, Recording, Utterance, read_manifest, speak, synthesis
from slm_jax.corpora.phones import SILENCE, Phone, phone_alignment, recording_phones
from slm_jax.errors import InputError

RATE = 16_000
TEXT = "The fox, behind the bushes, is hungry. Mary saw herself near the river."
VOWELS = {"æ", "ɑː", "ʌ", "iː", "ɪ", "ɛ", "ʊ", "aɪ", "ɔː"}


def symbols(text, voice="us_female"):
    return [phone.symbol for phone in phone_alignment(text, voice) if phone.symbol != SILENCE]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", ["k", "æ", "t"]),
        ("judge", ["dʒ", "ʌ", "dʒ"]),
        ("The mice sing.", ["ð", "ə", "m", "aɪ", "s", "s", "ɪ", "ŋ"]),
    ],
)
def test_known_words_have_their_phones(text, expected):
    assert symbols(text) == expected


@pytest.mark.parametrize("voice", VOICES)
def test_phones_cover_the_waveform_without_gaps(voice):
    phones = phone_alignment(TEXT, voice)
    seconds = len(synthesis.render(TEXT, voice, RATE)) / RATE
    assert phones[0].start == 0 and phones[-1].end == pytest.approx(seconds, abs=2 / RATE)
    assert all(before.end == after.start for before, after in itertools.pairwise(phones))
    assert all(0.004 < phone.end - phone.start < 0.6 for phone in phones)
    assert all(a.symbol != SILENCE or b.symbol != SILENCE for a, b in itertools.pairwise(phones))


@pytest.mark.parametrize("voice", VOICES)
def test_what_is_silent_in_the_waveform_is_a_pause(voice):
    """Stretches without energy, found in the waveform alone, are the pauses between phones."""
    wave_S = synthesis.render(TEXT, voice, RATE).astype(float)
    step = RATE // 200
    frames_TxS = wave_S[: len(wave_S) // step * step].reshape(-1, step)
    quiet_T = np.sqrt((frames_TxS**2).mean(1)) < 0.05 * np.sqrt((wave_S**2).mean())
    edges = np.flatnonzero(np.diff(quiet_T.astype(int), prepend=0, append=0)).reshape(-1, 2) * step / RATE
    stretches = [(start, end) for start, end in edges if end - start > 0.08]
    phones = phone_alignment(TEXT, voice)
    pauses = [phone for phone in phones if phone.symbol == SILENCE and phone.end - phone.start > 0.08]
    assert len(stretches) == len(pauses) >= 3
    for (start, end), pause in zip(stretches, pauses, strict=True):
        assert pause.start - 0.01 < start < pause.start + 0.09  # what sounded before fades away
        assert end == pytest.approx(pause.end, abs=0.03)


@pytest.mark.parametrize("voice", VOICES)
def test_sibilants_hiss_and_vowels_do_not_at_their_times(voice):
    wave_S = synthesis.render(TEXT, voice, RATE).astype(float)

    def centroid(phone: Phone) -> float:
        power = np.abs(np.fft.rfft(wave_S[int(phone.start * RATE) : int(phone.end * RATE)])) ** 2
        return float((np.linspace(0, RATE / 2, len(power)) * power).sum() / power.sum())

    phones = phone_alignment(TEXT, voice)
    hissing = [centroid(phone) for phone in phones if phone.symbol in {"s", "ʃ"}]
    vowels = [centroid(phone) for phone in phones if phone.symbol in VOWELS]
    assert len(hissing) >= 3 and len(vowels) >= 4
    assert min(hissing) > 1.2 * max(vowels)


def test_what_was_spoken_before_does_not_move_a_phone():
    first = phone_alignment(TEXT, "british_male")
    phone_alignment("Something else altogether!", "us_male")
    assert phone_alignment(TEXT, "british_male") == first


def test_speak_writes_phones_on_request_only(tmp_path):
    utterances = [
        Utterance("a", "The fox is hungry.", "us_male"),
        Utterance("b", "Mary slept.", "us_female", {"phones": "mine"}),
    ]
    (plain,) = read_manifest(speak(utterances[:1], tmp_path, workers=1))
    assert "phones" not in plain.fields
    for recording in read_manifest(speak(utterances, tmp_path, workers=1, phones=True)):
        expected = phone_alignment(recording.text, recording.speaker)
        found = recording_phones(recording)
        assert [phone.symbol for phone in found] == [phone.symbol for phone in expected]
        np.testing.assert_allclose(
            [phone[:2] for phone in found], [phone[:2] for phone in expected], atol=1e-6
        )


def recording(path="a.wav", speaker="someone", text=None, **fields) -> Recording:
    return Recording("a", pathlib.Path(path), speaker, "test", text=text, fields=fields)


def test_phones_come_from_the_manifest_or_from_espeak():
    given = [[0, 0.1, "sil"], [0.2, 0.3, "AA1"]]
    assert recording_phones(recording(phones=given)) == [Phone(0.0, 0.1, "sil"), Phone(0.2, 0.3, "AA1")]
    spoken = phone_alignment("Mary slept.", "us_male")
    assert recording_phones(recording(speaker="us_male", text="Mary slept.")) == spoken
    assert recording_phones(recording("espeak:us_male", text="Mary slept.")) == spoken
    part = dataclasses.replace(recording("espeak:us_male", text="Mary slept."), start=spoken[3].start)
    assert [phone.symbol for phone in recording_phones(part)] == [phone.symbol for phone in spoken[3:]]
    assert recording_phones(recording(text="Mary slept.")) is None
    assert recording_phones(recording("tfds:words/train#3", "us_male", text="Mary slept.")) is None
    of_a_file = recording(speaker="us_male", text="Mary slept.")
    assert recording_phones(dataclasses.replace(of_a_file, start=2.0)) is None
    assert recording_phones(recording(speaker="us_male")) is None


def test_a_part_of_a_file_has_the_phones_that_lie_in_it():
    given = [[0.0, 1.0, "a"], [1.0, 2.0, "b"], [2.0, 3.5, "c"], [4.0, 5.0, "d"]]
    whole = recording(phones=given)
    part = dataclasses.replace(whole, start=1.5, seconds=1.5)
    assert recording_phones(part) == [Phone(0.0, 0.5, "b"), Phone(0.5, 1.5, "c")]
    assert recording_phones(dataclasses.replace(whole, start=3.0)) == [
        Phone(0.0, 0.5, "c"),
        Phone(1.0, 2.0, "d"),
    ]
    assert recording_phones(dataclasses.replace(whole, start=3.5, seconds=0.5)) is None


@pytest.mark.parametrize(
    "rows",
    [
        "AA",
        [],
        [[0, 0.1]],
        [[0.1, 0.1, "a"]],
        [[0, 0.2, "a"], [0.1, 0.3, "b"]],
        [[0, 0.2, ""]],
        [["0", 1, "a"]],
        [[-1, 1, "a"]],
        [[0, float("nan"), "a"]],
    ],
)
def test_an_impossible_alignment_names_the_recording_and_the_field(rows):
    with pytest.raises(InputError, match=r"recording 'a'.*field \"phones\""):
        recording_phones(recording(phones=rows))
