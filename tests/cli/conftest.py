"""A person's own files, and the `slm` command as they type it."""

import numpy as np
import pytest
import soundfile

from slm_jax import cli


def slm(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(name="slm", scope="session")
def slm_command():
    return slm


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder of twelve short tunes in two formats, with one broken file."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for index in range(12):
        pitch = np.repeat(rng.choice([220.0, 330.0, 440.0, 550.0], size=24), 16_000 // 8)
        wave = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 16_000) + 0.01 * rng.normal(size=len(pitch))
        soundfile.write(folder / f"tune{index}.{'wav' if index % 2 else 'flac'}", wave, 16_000)
    (folder / "broken.wav").write_bytes(b"this is no audio")
    return folder


@pytest.fixture(scope="session")
def tokenizer(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "tok"
    fit = ["tokenizer", "fit", "--audio", recordings, "--units", 12, "--workers", 1]
    assert slm(*fit, "--out", folder) == 0
    return folder


@pytest.fixture(scope="session")
def units(recordings, tokenizer):
    folder = tokenizer.with_name("units")
    command = ["tokenize", "--audio", recordings, "--tokenizer", tokenizer, "--workers", 1, "--durations"]
    assert slm(*command, "--out", folder) == 0
    return folder
