import pathlib

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from slm_jax.corpora import Recording, segment, split_of
from slm_jax.errors import InputError


def recording_of(folder, wave_S, rate, **fields):
    path = folder / "talk.wav"
    soundfile.write(path, wave_S, rate, subtype="FLOAT")
    return Recording("talk", path, "ann", "talks", **fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("talks")


@given(
    seconds=st.floats(0.5, 40),
    rate=st.sampled_from([100, 441, 1000, 1103]),
    max_seconds=st.floats(1, 12),
    cut=st.sampled_from(["silence", "uniform"]),
    bounds=st.none() | st.tuples(st.floats(0, 0.4), st.floats(0.6, 1)),
    seed=st.integers(0, 99),
)
def test_parts_cover_a_recording_with_no_gap_and_no_overlap(
    folder, seconds, rate, max_seconds, cut, bounds, seed
):
    samples = int(seconds * rate)
    wave_S = np.random.default_rng(seed).normal(size=samples).astype(np.float32)
    start, length = (
        (None, None) if bounds is None else (bounds[0] * seconds, (bounds[1] - bounds[0]) * seconds)
    )
    recording = recording_of(folder, wave_S, rate, start=start, seconds=length, text="Hello.")
    parts = list(segment([recording], max_seconds=max_seconds, cut=cut))
    first = round((start or 0) * rate)
    end = samples if length is None else min(round((start + length) * rate), samples)
    if len(parts) == 1:
        assert parts == [recording]
        assert (end - first) / rate <= max_seconds + 2 / rate
        return
    here = first
    for part in parts:
        assert round(part.start * rate) == here
        here = end if part.seconds is None else round((part.start + part.seconds) * rate)
        assert 0 < here - round(part.start * rate) <= max_seconds * rate
        assert part.parent == "talk" and part.text is None
        if cut == "silence":
            assert here - round(part.start * rate) >= 0.2 * max_seconds * rate
    assert here == end
    assert parts[-1].seconds is None or length is not None
    assert [part.id for part in parts] == sorted({part.id for part in parts})


def test_cuts_fall_into_the_pauses(folder):
    rate, seconds = 8000, 100
    time_S = np.arange(seconds * rate) / rate
    pauses = [7.3, 19.0, 26.45, 36.2, 47.7, 55.1, 66.6, 74.25, 85.5, 94.0]
    loud_S = np.all([np.abs(time_S - pause) > 0.15 for pause in pauses], axis=0)
    wave_S = np.where(loud_S, np.sin(2 * np.pi * 300 * time_S), 1e-3 * np.sin(2 * np.pi * 300 * time_S))
    parts = list(segment([recording_of(folder, wave_S, rate)], max_seconds=20))
    assert len(parts) > 4
    for part in parts[1:]:
        assert min(abs(part.start - pause) for pause in pauses) < 0.1
    assert parts[1].start == pytest.approx(19, abs=0.1)  # the later one of two pauses that are as quiet
    assert parts[1].id == f"talk-{round(100 * parts[1].start):07d}"


def test_stereo_is_judged_by_its_mean_and_a_pause_in_one_channel_is_none(folder):
    rate = 1000
    wave_SxC = np.random.default_rng(0).normal(size=(30 * rate, 2)).astype(np.float32)
    wave_SxC[14_000:14_500, 0] = 0
    wave_SxC[17_000:17_500] = 0
    _, second = segment([recording_of(folder, wave_SxC, rate)], max_seconds=20)
    assert second.start == pytest.approx(17.25, abs=0.2)


def test_a_part_of_a_part_keeps_the_first_parent_and_all_share_its_split(folder):
    recording = recording_of(folder, np.zeros(20 * 1000), 1000)
    halves = list(segment([recording], max_seconds=10, cut="uniform"))
    quarters = list(segment(halves, max_seconds=5, cut="uniform"))
    assert [(part.start, part.seconds) for part in quarters] == [(0, 5), (5, 5), (10, 5), (15, None)]
    assert {part.parent for part in quarters} == {"talk"}
    assert {split_of(part) for part in quarters} == {split_of(recording)}


def test_what_cannot_be_cut_is_passed_on_for_loading_to_judge(folder):
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    recordings = [
        Recording("missing", folder / "none.wav", "ann", "talks"),
        Recording("broken", folder / "broken.wav", "ann", "talks"),
        Recording("spoken", pathlib.Path("espeak:us_female"), "us_female", "stories", text="Hello."),
        recording_of(folder, np.zeros(5000), 1000, start=4.0, seconds=100.0),
    ]
    for cut in ("silence", "uniform"):
        assert list(segment(recordings, max_seconds=2, cut=cut)) == recordings


def test_compressed_audio_is_cut_as_well(folder):
    rate = 16000
    wave_S = 0.3 * np.random.default_rng(0).normal(size=12 * rate)
    wave_S[int(6.9 * rate) : int(7.3 * rate)] = 0
    for kind, subtype in (("ogg", "VORBIS"), ("flac", "PCM_16"), ("mp3", None)):
        soundfile.write(folder / f"a.{kind}", wave_S, rate, subtype=subtype)
        recording = Recording("a", folder / f"a.{kind}", "ann", "talks")
        _, second = segment([recording], max_seconds=9)
        assert second.start == pytest.approx(7.1, abs=0.15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_seconds": 0}, "max_seconds is 0"),
        ({"max_seconds": float("nan")}, "max_seconds is nan"),
        ({"cut": "words"}, "cut is 'words': choose from silence, uniform"),
    ],
)
def test_arguments_out_of_range_are_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        segment([], **arguments)
