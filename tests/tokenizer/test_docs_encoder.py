"""The encoder that docs/tokenizer.md shows works: fitted, saved, loaded, measured."""

import pathlib
import pickle
import re

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import find_recordings
from slm_jax.errors import InputError
from slm_jax.tokenizer import Tokenizer, fit_tokenizer, make_encoder, new_encoder
from slm_jax.tokenizer.quality import measure_quality

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "tokenizer.md"
LINES = 20


@pytest.fixture
def code() -> str:
    section = PAGE.read_text(encoding="utf-8").split("## Your own encoder")[1]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture
def encoder(code, tmp_path, monkeypatch):
    (tmp_path / "contrast.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    return new_encoder("contrast.py", {"bands": 4})


def test_it_takes_as_few_lines_as_promised(code):
    statements = [line for line in code.splitlines() if line.strip() and "import" not in line]
    assert len(statements) <= LINES


def test_the_example_makes_a_tokenizer(encoder, tmp_path):
    rng = np.random.default_rng(0)
    for index in range(4):
        wave_S = rng.normal(0, 0.1, 16_000) * np.sin(np.arange(16_000) / (700 + 300 * index))
        soundfile.write(tmp_path / f"r{index}.wav", wave_S, 16_000)
    recordings = find_recordings(tmp_path)
    features_TxD = encoder(soundfile.read(recordings[0].path, dtype="float32")[0])
    assert features_TxD.shape == (50, encoder.dim) and features_TxD.dtype == np.float32
    fit_tokenizer(recordings, encoder=encoder, k=5, sample_seconds=10, workers=1).save(tmp_path / "tokenizer")
    tokenizer = Tokenizer.load(tmp_path / "tokenizer")
    assert tokenizer.encoder == encoder
    assert len(tokenizer.encode_file(recordings[1].path)) > 5
    (row,) = measure_quality(recordings, [tmp_path / "tokenizer"], workers=1)
    assert (row["encoder"], row["recordings"]) == ("contrast.py", 4)
    with pytest.raises(InputError, match="shorter"):
        encoder(np.zeros(300, np.float32))


def test_a_copy_is_the_same_encoder(encoder):
    """As worker processes get it, and as tokenizer.json has it."""
    copy = pickle.loads(pickle.dumps(encoder))
    assert copy == encoder == make_encoder(encoder.name, encoder.parameters)
    assert copy != make_encoder(encoder.name, {"bands": 5})


def test_a_file_without_an_encoder_and_a_tokenizer_without_its_file_are_named(encoder, tmp_path, monkeypatch):
    (tmp_path / "empty.py").write_text("bands = 4\n")
    with pytest.raises(InputError, match=r"'empty\.py': the file has no class Encoder"):
        new_encoder("empty.py", {})
    with pytest.raises(InputError, match=r"encoder: .*absent\.py does not exist; paths start where"):
        new_encoder("absent.py", {})
    with pytest.raises(InputError, match=r"has no setting 'band'; it has bands, frame_rate"):
        new_encoder("contrast.py", {"band": 4})
    Tokenizer(encoder, np.eye(5, dtype=np.float32)).save(tmp_path / "tokenizer")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"tokenizer\.json: encoder: .*contrast\.py does not exist"):
        Tokenizer.load(tmp_path / "tokenizer")
