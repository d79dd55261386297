import errno
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import VOICES, Utterance, espeak, read_manifest, speak, synthesis
from slm_jax.errors import InputError
from slm_jax.files import sha256

TEXTS = (
    "The fox behind the bushes is hungry.",
    "Mary saw herself near the river.",
    "Yesterday the geese were tired near the barn. Tom danced near the field.",
)


def utterances(count=6):
    voices = list(VOICES)
    return [
        Utterance(
            f"u{i}", f"{TEXTS[i % len(TEXTS)]} Number {i}.", voices[i % len(voices)], {"source": "test"}
        )
        for i in range(count)
    ]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in pathlib.Path(folder).rglob("*.*")
        if path.is_file()
    }


@pytest.mark.parametrize("voice", VOICES)
def test_what_was_spoken_before_does_not_change_a_sample(voice):
    """espeak-ng's oscillators, gain and noise go on from one text to the next unless something is done."""
    first = synthesis.render(TEXTS[0], voice)
    for other in VOICES:
        synthesis.render(random.Random(other).choice(TEXTS), other)
    assert np.array_equal(first, synthesis.render(TEXTS[0], voice))


def test_another_process_speaks_the_same_samples():
    code = (
        "import hashlib; from slm_jax.corpora.synthesis import render;"
        f"render({TEXTS[1]!r}, 'us_male');"
        f"print(hashlib.sha256(render({TEXTS[0]!r}, 'british_female').tobytes()).hexdigest())"
    )
    digests = {subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)}
    here = synthesis.render(TEXTS[0], "british_female").tobytes()
    assert digests == {hashlib.sha256(here).hexdigest() + "\n"}


THREADS = """
import concurrent.futures
from slm_jax.corpora import espeak
def speak(number):
    return espeak.version() and espeak.render(f"Tom went to market number {number}.", "en-us").tobytes()
serial = [speak(number) for number in range(16)]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(list(pool.map(speak, range(16))) == serial)
"""


def test_threads_speak_what_one_thread_does():
    """In a process of its own: what is wrong here ends the process."""
    found = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "True\n"), found


def test_voices_and_contrasts_can_be_heard():
    waves = {voice: synthesis.render(TEXTS[0], voice) for voice in VOICES}
    assert len({wave.tobytes() for wave in waves.values()}) == len(VOICES) >= 4
    for wave in waves.values():
        assert 1.5 < len(wave) / 16000 < 5
        assert 1000 < np.abs(wave.astype(int)).max() <= 32767


def test_resampling_keeps_duration_and_loudness():
    original = espeak.render(TEXTS[1], VOICES["us_female"]).astype(float)
    resampled = synthesis.render(TEXTS[1], "us_female").astype(float)
    assert len(resampled) / 16000 == pytest.approx(len(original) / 22050, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(original)) ** 2
    kept = spectrum[: int(len(spectrum) * 8000 / 11025)].sum() / len(original) ** 2
    assert (np.abs(np.fft.rfft(resampled)) ** 2).sum() / len(resampled) ** 2 == pytest.approx(kept, rel=0.02)


def test_speak_writes_wav_files_and_a_manifest_in_order(tmp_path):
    spoken = utterances()
    manifest = speak(spoken, tmp_path, workers=1)
    recordings = read_manifest(manifest)
    assert [(r.id, r.speaker, r.text, r.source) for r in recordings] == [
        (u.id, u.voice, u.text, "test") for u in spoken
    ]
    for recording in recordings:
        info = soundfile.info(recording.path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        samples, _ = soundfile.read(recording.path, dtype="int16")
        assert np.array_equal(samples, synthesis.render(recording.text, recording.speaker))


def test_bytes_do_not_depend_on_order_workers_or_interruption(tmp_path):
    spoken = utterances(40)
    speak(spoken, tmp_path / "a", workers=1)
    expected = contents(tmp_path / "a")
    half = speak(list(reversed(spoken))[:20], tmp_path / "b", workers=2).parent
    before = {path: path.stat().st_mtime_ns for path in half.rglob("*.wav")}
    speak(spoken, tmp_path / "b", workers=2)
    assert contents(tmp_path / "b") == expected
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()), "spoken again"


def test_fields_cannot_replace_what_the_manifest_says(tmp_path):
    fields = {"audio": "elsewhere.wav", "speaker": "nobody", "topic": "farm"}
    (recording,) = read_manifest(speak([Utterance("a", TEXTS[0], "us_male", fields)], tmp_path, workers=1))
    assert recording.path.exists()
    assert (recording.speaker, recording.fields) == ("us_male", {"topic": "farm"})


def test_a_changed_text_is_spoken_anew(tmp_path):
    speak([Utterance("a", TEXTS[0], "us_male")], tmp_path, workers=1)
    (recording,) = read_manifest(speak([Utterance("a", TEXTS[1], "us_male")], tmp_path, workers=1))
    assert np.array_equal(
        soundfile.read(recording.path, dtype="int16")[0], synthesis.render(TEXTS[1], "us_male")
    )


SPEAK_SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_synthesis import utterances
from slm_jax.corpora import speak
if __name__ == "__main__":
    speak(utterances(120), {out!r}, workers=2)
"""


def start(tmp_path, **options):
    script = tmp_path / "script.py"
    script.write_text(
        SPEAK_SCRIPT.format(tests=str(pathlib.Path(__file__).parent), out=str(tmp_path / "out"))
    )
    return subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True, **options)


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="reads /proc")
def test_a_killed_run_leaves_no_worker_and_can_be_finished(tmp_path):
    out = tmp_path / "out"
    process = start(tmp_path)
    wait_until(lambda: len(list(out.glob("audio/*/*.wav"))) > 5)
    workers = children(process.pid)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    wait_until(lambda: not any(map(running, workers)), seconds=20)
    finished = len(list(out.glob("audio/*/*.wav")))
    assert finished < 120 and not (out / "manifest.jsonl").exists()

    speak(utterances(120), out, workers=2)
    speak(utterances(120), tmp_path / "whole", workers=2)
    leftovers = {name for name in contents(out) if name.endswith(".tmp")}
    assert {k: v for k, v in contents(out).items() if k not in leftovers} == contents(tmp_path / "whole")


def test_a_full_disk_is_one_clear_sentence(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "audio/x.wav"))

    monkeypatch.setattr(synthesis, "write_jsonl", full)
    with pytest.raises(InputError, match=r"x\.wav: could not be written \(the disk is full\); make room"):
        speak(utterances(1), tmp_path, workers=1)


def test_a_worker_that_cannot_write_stops_the_run_with_the_reason(tmp_path):
    """A limit on the size of files stands in for a full disk: the write fails half way in the worker."""
    resource = pytest.importorskip("resource")
    limit = 50_000
    process = start(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "InputError" in errors and "could not be written (File too large)" in errors
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".tmp" or path.name == "manifest.jsonl"]
    for path in files:
        assert soundfile.info(path).frames > 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "nothing to speak"),
        (
            [Utterance("a", "Hello.", "martian")],
            "utterance a: unknown voice 'martian'; choose from us_female",
        ),
        ([Utterance("a", "  ", "us_male")], "utterance a: the text is empty"),
        ([Utterance("a", "...", "us_male")], "utterance a: the text is empty"),
        ([Utterance("a", "Hello.", "us_male")] * 2, "utterance a: the id occurs twice"),
    ],
)
def test_bad_utterances_are_refused_before_speaking(tmp_path, bad, message):
    with pytest.raises(InputError, match=message):
        speak(bad, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("voice", ["tlh-x-nowhere", "en-us+nobody"])
def test_espeak_refuses_an_unknown_voice(voice):
    with pytest.raises(InputError, match="espeak-ng has no"):
        espeak.render("Hello.", voice)
