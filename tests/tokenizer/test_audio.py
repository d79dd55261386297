"""Loading audio: what is handled, and what is refused with a reason."""

import errno
import os
import sys
import types

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import VOICES, Recording
from slm_jax.corpora.synthesis import render
from slm_jax.tokenizer import AudioError, audio, audio_errors, load_audio, load_recording

RATE = 16_000
OPUS = {"a.opus": {"format": "OGG", "subtype": "OPUS"}}


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("file", "rate", "tolerance"),
    [
        ("a.wav", 16_000, 1e-4),
        ("a.wav", 8_000, 0.02),
        ("a.flac", 48_000, 0.02),
        ("a.mp3", 22_050, 0.1),
        ("a.ogg", 44_100, 0.1),
    ],
)
def test_any_rate_and_format_arrives_as_the_same_tone(tmp_path, file, rate, tolerance):
    soundfile.write(tmp_path / file, tone(rate), rate)
    wave = load_audio(tmp_path / file, RATE)
    assert wave.dtype == np.float32 and abs(len(wave) - RATE) < 0.1 * RATE
    middle = slice(4000, 12_000)
    spectrum = np.abs(np.fft.rfft(wave[middle] * np.hanning(8000)))
    assert abs(np.argmax(spectrum) * RATE / 8000 - 440) <= 2
    assert np.sqrt(np.mean(wave[middle] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=tolerance)


def test_stereo_is_averaged(tmp_path):
    left, right = tone(RATE), tone(RATE, hertz=880)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "stereo.wav", RATE), (left + right) / 2, atol=1e-6)


def test_a_header_of_unknown_length_is_not_a_truncation(tmp_path):
    path = tmp_path / "streamed.wav"
    soundfile.write(path, tone(RATE), RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(load_audio(path, RATE)) == RATE


def flac_that_promises(path, frames: int) -> np.ndarray:
    """Writes noise into a FLAC file whose header says `frames`, of at most 36 bits; returns the noise."""
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 10 * RATE), RATE)
    wave_S = soundfile.read(path, dtype="float32")[0]
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = (frames & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)
    return wave_S


def test_a_flac_file_of_unknown_length_is_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK", 30_000)
    path = tmp_path / "streamed.flac"
    wave_S = flac_that_promises(path, 0)
    np.testing.assert_array_equal(load_audio(path, RATE), wave_S)
    np.testing.assert_array_equal(load_audio(path, RATE, start=9.0), wave_S[9 * RATE :])
    np.testing.assert_array_equal(load_audio(path, RATE, start=2.5, seconds=3.0), wave_S[40_000:88_000])
    with pytest.raises(AudioError, match="truncated"):
        load_audio(path, RATE, start=8.0, seconds=5.0)


@pytest.mark.parametrize("frames", [10 * RATE * 2, 2**34, 2**36 - 1])
def test_a_header_that_promises_too_much_takes_no_memory(tmp_path, frames):
    flac_that_promises(tmp_path / "a.flac", frames)
    with pytest.raises(AudioError, match=r"a\.flac: is truncated \(only 10\.00 s"):
        load_audio(tmp_path / "a.flac", RATE)


@pytest.mark.parametrize("file", ["a.flac", "a.ogg", "a.opus", "a.mp3"])
def test_blocks_join_without_a_seam(tmp_path, monkeypatch, file):
    soundfile.write(
        tmp_path / file, np.random.default_rng(0).normal(0, 0.1, (RATE, 2)), RATE, **OPUS.get(file, {})
    )
    whole = load_audio(tmp_path / file, RATE)
    monkeypatch.setattr(audio, "BLOCK", 999)
    np.testing.assert_allclose(load_audio(tmp_path / file, RATE), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("file", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3"])
@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, file, fraction):
    path = tmp_path / file
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE, **OPUS.get(file, {}))
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(AudioError, match="truncated") as error:
        load_audio(path, RATE)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("file", ["a.ogg", "a.opus"])
def test_the_end_of_an_ogg_stream_is_looked_for_in_its_pages(tmp_path, file):
    path = tmp_path / file
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 10 * RATE), RATE, **OPUS.get(file, {}))
    content = path.read_bytes()
    last = content.rfind(b"OggS")
    for end in (last + 3, last + 10, last + 27, last + 60, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(AudioError, match="is truncated"):
            load_audio(path, RATE)
    path.write_bytes(content[:last])  # between two pages, as a recorder leaves it that was stopped
    assert 8 * RATE < len(load_audio(path, RATE)) < 10 * RATE
    path.write_bytes(content + b"TAG of another program")
    assert len(load_audio(path, RATE)) == 10 * RATE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is a text file\n" * 100, "not audio"),
        (b"RIFF\0\0\0\0WAVE", "not audio"),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=reason):
        load_audio(path, RATE)


def test_samples_without_a_header_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(3200))
    with pytest.raises(AudioError, match=r"a\.raw.*not audio"):
        load_audio(tmp_path / "a.raw", RATE)


def test_a_name_that_no_text_file_can_hold_is_refused(tmp_path):
    try:
        soundfile.write(os.fsencode(tmp_path) + b"/caf\xe9.wav", tone(RATE), RATE)
    except (OSError, soundfile.LibsndfileError):
        pytest.skip("this file system has only UTF-8 names")
    (path,) = tmp_path.iterdir()
    with pytest.raises(AudioError, match="name is not UTF-8; rename") as error:
        load_audio(path, RATE)
    str(error.value).encode()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinite_samples_are_refused(tmp_path, value):
    wave = tone(RATE)
    wave[100] = value
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN or infinite"):
        load_audio(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize("error", [RuntimeError("odd"), ValueError("odd"), ZeroDivisionError("odd")])
def test_what_a_library_has_against_a_recording_is_its_own_error(tmp_path, monkeypatch, error):
    def resample(*_, **__):
        raise error

    monkeypatch.setattr(audio.soxr, "resample", resample)
    soundfile.write(tmp_path / "a.wav", tone(8000), 8000)
    with pytest.raises(AudioError, match=rf"a\.wav: cannot be used \({type(error).__name__}: odd\)"):
        load_audio(tmp_path / "a.wav", RATE)


def test_espeak_that_fails_is_an_error_of_its_recording(monkeypatch):
    def render(*_):
        raise RuntimeError("espeak-ng returned status 2")

    monkeypatch.setattr("slm_jax.corpora.synthesis.render", render)
    with pytest.raises(AudioError, match=r"espeak:us_male: cannot be used \(RuntimeError: espeak-ng"):
        load_recording(part("espeak:us_male", text="a cat"), RATE)


def failing(monkeypatch, error: Exception, times: int) -> list[int]:
    """Makes the size of a file an error so often; returns the list that each attempt is put into."""
    monkeypatch.setattr(audio_errors, "PAUSES", (0.0, 0.0))
    size, attempts = os.path.getsize, []

    def getsize(path):
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return size(path)

    monkeypatch.setattr(os.path, "getsize", getsize)
    return attempts


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_disk_that_fails_is_asked_again_and_is_never_the_recordings_fault(tmp_path, monkeypatch, number):
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    error = OSError(number, os.strerror(number))
    attempts = failing(monkeypatch, error, 2)
    assert len(load_audio(tmp_path / "a.wav", RATE)) == RATE and len(attempts) == 3
    attempts = failing(monkeypatch, error, 3)
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        load_recording(part(tmp_path / "a.wav"), RATE)
    assert raised.value is error and len(attempts) == 3


def test_lack_of_memory_is_not_the_recordings_fault(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    failing(monkeypatch, MemoryError(), 1)
    with pytest.raises(MemoryError):
        load_audio(tmp_path / "a.wav", RATE)


def test_a_disk_error_that_libsndfile_takes_for_the_end_of_the_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_errors, "PAUSES", (0.0, 0.0))
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: np.zeros((0, 1), np.float32))

    def fails(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(AudioError, match="truncated"):
        load_audio(tmp_path / "a.wav", RATE)
    monkeypatch.setattr("builtins.open", fails)
    with pytest.raises(OSError, match="Input/output error"):
        load_audio(tmp_path / "a.wav", RATE)


def test_no_samples_no_file_and_a_folder_are_refused(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    with pytest.raises(AudioError, match="no samples"):
        load_audio(tmp_path / "none.wav", RATE)
    with pytest.raises(AudioError, match="cannot be read"):
        load_audio(tmp_path / "absent.wav", RATE)
    with pytest.raises(AudioError):
        load_audio(tmp_path, RATE)


def part(path, start=None, seconds=None, text=None) -> Recording:
    return Recording("id", path, "speaker", "source", text=text, start=start, seconds=seconds)


@pytest.mark.parametrize(
    ("file", "tolerance"), [("a.wav", 0), ("a.flac", 0), ("a.ogg", 1e-5), ("a.mp3", 1e-3)]
)
@pytest.mark.parametrize(
    ("start", "seconds"), [(1.25, 0.5), (0.0, 1.0), (2.5, None), (None, 0.75), (2.9, 0.15)]
)
def test_a_part_is_that_slice_of_the_whole(tmp_path, file, tolerance, start, seconds):
    soundfile.write(tmp_path / file, np.random.default_rng(0).normal(0, 0.1, (3 * RATE, 2)), RATE)
    whole = load_audio(tmp_path / file, RATE)
    first = int((start or 0) * RATE)
    expected = whole[first:] if seconds is None else whole[first : first + int(seconds * RATE)]
    found = load_recording(part(tmp_path / file, start, seconds), RATE)
    assert found.dtype == np.float32 and len(found) == len(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_only_the_part_is_decoded(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", tone(RATE, 60.0), RATE)
    read, frames = soundfile.SoundFile.read, []
    monkeypatch.setattr(
        soundfile.SoundFile, "read", lambda file, n=-1, **kw: frames.append(n) or read(file, n, **kw)
    )
    load_recording(part(tmp_path / "a.flac", 50.0, 2.0), RATE)
    assert frames == [2 * RATE]


@pytest.mark.parametrize(
    ("start", "seconds"), [(-1.0, 1.0), (2.0, 1.5), (3.0, 0.05), (5.0, None), (1.0, 0.0), (np.nan, 1.0)]
)
def test_a_part_that_does_not_lie_in_the_file_is_refused(tmp_path, start, seconds):
    soundfile.write(tmp_path / "a.wav", tone(RATE, 3.0), RATE)
    with pytest.raises(AudioError, match=r"a\.wav: the part from .* does not lie in the 3.00 s.*manifest"):
        load_recording(part(tmp_path / "a.wav", start, seconds), RATE)


def test_a_part_of_a_truncated_file_is_read_where_it_is_whole_and_refused_where_not(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    assert len(load_recording(part(path, 0.5, 0.5), RATE)) == RATE // 2
    with pytest.raises(AudioError, match="truncated"):
        load_recording(part(path, 2.0, 0.9), RATE)


def test_espeak_speaks_the_text(tmp_path):
    voice = next(iter(VOICES))
    spoken = load_recording(part(f"espeak:{voice}", text="a cat sat"), RATE)
    assert spoken.dtype == np.float32 and np.abs(spoken).max() <= 1
    np.testing.assert_array_equal(np.rint(spoken * 2**15), render("a cat sat", voice, RATE))
    with pytest.raises(AudioError, match="espeak:nobody: there is no such voice"):
        load_recording(part("espeak:nobody", text="a cat sat"), RATE)
    with pytest.raises(AudioError, match="no text to speak"):
        load_recording(part(f"espeak:{voice}"), RATE)


def test_an_example_of_tfds_is_resampled_and_cut(monkeypatch):
    module = types.ModuleType("slm_jax.corpora.tfds_audio")
    module.read_example = lambda uri: (tone(8_000, 2.0), 8_000)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = load_recording(part("tfds:speech/train#3", 0.5, 1.0), RATE)
    assert len(found) == RATE
    np.testing.assert_allclose(found[4000:12_000], tone(RATE, 2.0)[12_000:20_000], atol=0.02)
