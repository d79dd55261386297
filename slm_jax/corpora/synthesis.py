"""Speaks utterances into 16-bit wav files and a manifest: on all cores, resumable, deterministic."""

import errno
import functools
import hashlib
import io
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import soundfile
import soxr

from slm_jax.cores import worker_count
from slm_jax.corpora import espeak
from slm_jax.corpora.manifest import MANIFEST
from slm_jax.corpora.phones import phone_alignment
from slm_jax.corpora.utterance import VOICES, Utterance
from slm_jax.errors import InputError
from slm_jax.files import atomic_path, write_jsonl
from slm_jax.progress import progress
from slm_jax.workers import parallel_map

Result = TypeVar("Result")

UTTERANCES_A_WORKER = 16  # fewer are spoken before another worker has started
WAV_HEADER_BYTES = 44


def speak(
    utterances: Iterable[Utterance],
    out_dir: str | os.PathLike,
    *,
    workers: int | None = None,
    sample_rate: int = 16000,
    phones: bool = False,
) -> pathlib.Path:
    """Speaks every utterance into a mono 16-bit wav file, `out_dir`/audio/VOICE/ID-DIGEST.wav.

    Lists them, in order, in `out_dir`/manifest.jsonl and returns its path; with `phones`, each with what is
    spoken when, "phones": [[start, end, symbol], ...] in seconds.

    The digest is over text, voice, sample rate and the versions of espeak-ng and soxr: a file that exists is
    what would be spoken, so a stopped run goes on where it was and the bytes depend on neither order nor
    `workers` (processes; all cores by default).

    Raises InputError before speaking anything: no utterances, empty text, an unknown voice, an id twice,
    fewer than one worker; and when a file cannot be written, for instance on a full disk.
    """
    utterances = list(utterances)
    workers = worker_count(workers)
    out_dir = pathlib.Path(out_dir)
    _check(utterances)
    versions = f"espeak-ng {espeak.version()} soxr {soxr.__version__} {sample_rate} Hz"
    paths = [_audio_path(utterance, versions) for utterance in utterances]
    todo = {
        path: utterance
        for path, utterance in zip(paths, utterances, strict=True)
        if not (out_dir / path).exists()
    }
    bytes_per_hour = 2 * sample_rate * 3600
    try:
        for voice in {utterance.voice for utterance in utterances}:
            (out_dir / "audio" / voice).mkdir(parents=True, exist_ok=True)
        with progress(total=len(utterances), desc="speaking", unit="utterance") as bar:
            bar.update(len(utterances) - len(todo))
            hours = 0.0
            jobs = [
                (str(out_dir / path), utterance.text, utterance.voice) for path, utterance in todo.items()
            ]
            for size in _in_workers(functools.partial(_speak_one, sample_rate=sample_rate), jobs, workers):
                hours += (size - WAV_HEADER_BYTES) / bytes_per_hour
                bar.set_postfix_str(f"{hours:.2f} h of speech", refresh=False)
                bar.update()
        rows = map(_manifest_row, utterances, paths)
        if phones:
            rows = (
                {**row, "phones": found}
                for row, found in zip(rows, _aligned(utterances, workers), strict=True)
            )
        write_jsonl(out_dir / MANIFEST, rows)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise InputError(
            f"{error.filename or out_dir}: could not be written ({reason}); make room or choose another "
            "folder and run the same command again, it goes on where it stopped"
        ) from error
    return out_dir / MANIFEST


def _check(utterances: list[Utterance]) -> None:
    if not utterances:
        raise InputError("nothing to speak: the list of utterances is empty")
    seen = set()
    for utterance in utterances:
        if utterance.voice not in VOICES:
            raise InputError(
                f"utterance {utterance.id}: unknown voice {utterance.voice!r}; "
                f"choose from {', '.join(VOICES)}"
            )
        if not re.search(r"\w", utterance.text):
            raise InputError(f"utterance {utterance.id}: the text is empty, there is nothing to speak")
        if utterance.id in seen:
            raise InputError(f"utterance {utterance.id}: the id occurs twice; make ids unique")
        seen.add(utterance.id)


def _audio_path(utterance: Utterance, versions: str) -> pathlib.PurePosixPath:
    content = "\0".join((utterance.text, VOICES[utterance.voice], versions))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", utterance.id)[:80].lstrip(".")
    return pathlib.PurePosixPath("audio", utterance.voice, f"{readable}-{digest}.wav")


def _manifest_row(utterance: Utterance, path: pathlib.PurePosixPath) -> dict:
    row = {"audio": str(path), "id": utterance.id, "speaker": utterance.voice, "text": utterance.text}
    return row | utterance.fields | row  # the row's keys come first, and a field cannot replace them


def _aligned(utterances: list[Utterance], workers: int) -> Iterator[list]:
    jobs = [(utterance.text, utterance.voice) for utterance in utterances]
    return progress(_in_workers(_align_one, jobs, workers), total=len(jobs), desc="phones", unit="utterance")


def _in_workers(function: Callable[..., Result], jobs: list[tuple], workers: int) -> Iterator[Result]:
    """function(job) of every job in order."""
    return parallel_map(function, jobs, workers=min(workers, 1 + len(jobs) // UTTERANCES_A_WORKER))


def _speak_one(job: tuple[str, str, str], sample_rate: int) -> int:
    path, text, voice = job
    contents = encode_wav(render(text, voice, sample_rate), sample_rate)
    with atomic_path(path) as temporary:
        temporary.write_bytes(contents)
    return len(contents)


def _align_one(job: tuple[str, str]) -> list[list]:
    return [[round(phone.start, 6), round(phone.end, 6), phone.symbol] for phone in phone_alignment(*job)]


def render(text: str, voice: str, sample_rate: int = 16000) -> np.ndarray:
    """The waveform of `text` in one of VOICES: int16 samples_S at `sample_rate`."""
    samples_S = espeak.render(text, VOICES[voice]).astype(np.float32)
    resampled_S = soxr.resample(samples_S, espeak.SAMPLE_RATE, sample_rate)
    return np.clip(np.rint(resampled_S), -32768, 32767).astype(np.int16)


def encode_wav(samples_S: np.ndarray, sample_rate: int) -> bytes:
    """The bytes of a 16-bit wav file; in memory, so that only plain writes touch the disk."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples_S, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
