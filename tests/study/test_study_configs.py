"""The studies in configs/: that each can be read, and says what it means to."""

import csv
import pathlib
import runpy

import numpy as np
import pytest

from slm_jax.study import ArmData, parse_study, plan_grid
from slm_jax.study.matched_runs import match_runs
from slm_jax.study.measures import GROWTH
from slm_jax.tokenizer import MFCC, Tokenizer

ROOT = pathlib.Path(__file__).parents[2]
STUDIES = ROOT / "configs" / "studies"
TRAINED = sorted(path.stem for path in STUDIES.glob("*.py") if path.stem != "published")
MUCH = ArmData(502, 1e13)
UNITS_OF_THE_PAPER = {  # Cuervo & Marxer 2024, and 6.31e9 pieces of all
    "speech": ArmData(502, 10.89e9),
    "pieces": ArmData(5002, 6.31e9),
    "stories": ArmData(502, 4.82e9),
    "audiobooks": ArmData(502, 3.81e9),
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads a config in a folder with a tokenizer where one is expected."""
    monkeypatch.chdir(tmp_path)
    pathlib.Path("data").mkdir()
    Tokenizer(MFCC(), np.random.default_rng(0).normal(size=(5, 26))).save("data/tokenizer")
    return lambda name: parse_study(runpy.run_path(str(STUDIES / f"{name}.py"))["get_config"]())


@pytest.mark.parametrize("name", TRAINED)
def test_a_study_is_read_without_a_warning(name, read, capsys):
    assert read(name).name == name
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name", TRAINED)
def test_claims_rest_on_four_sizes_and_seeds_or_more(name, read):
    config = read(name)
    data = UNITS_OF_THE_PAPER if name == "paper_pod" else dict.fromkeys(config.arms, MUCH)
    runs = plan_grid(config, data)
    for claim in config.claims.values():
        if not claim.measure.startswith(GROWTH):
            matches = match_runs(runs, claim.arms)
            assert len({(match.better.size, match.better.seed) for match in matches}) >= 4


def test_the_miniature_names_every_run_without_a_counterpart():
    grids: dict[str, set[str]] = {}
    with (ROOT / "docs" / "results" / "paper_cpu" / "results.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            grids.setdefault(row["arm"], set()).add(row["model"].removeprefix(row["arm"] + "-"))
    alone = {f"{arm}-{run}" for arm, grid in grids.items() for run in grid - grids["speech"]}
    about = runpy.run_path(str(STUDIES / "paper_cpu.py"))["__doc__"]
    assert alone == {"speech_50hz-30k-3e12", "speech_50hz-30k-3e12-s1"}
    assert "speech_50hz-30k-3e12 (both seeds)" in about
