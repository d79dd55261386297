"""A whole study of seconds, text to report, as a user runs it; and the same one killed on the way."""

import csv
import json
import pathlib
import signal
import subprocess
import sys

import pytest

from slm_jax import cli
from slm_jax.files import read_json

CONFIG = """
from slm_jax.study import default_study

def get_config():
    study = default_study()
    study.name = "tiny"
    study.corpus.stories, study.corpus.pairs_per_phenomenon, study.corpus.cloze_items = 80, 2, 2
    study.tokenizer.units, study.tokenizer.sample_seconds = 40, 200.0
    study.grid.budgets, study.grid.sizes = (2e9, 4e9), ("30k", "90k", "170k")
    study.grid.min_steps, study.grid.max_epochs = 3, 100.0
    study.context, study.batch_size, study.log_every, study.checkpoint_every = 288, 2, 4, 8
    study.optimizer.min_warmup_steps, study.resamples = 2, 50
    return study
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    (folder / "tiny.py").write_text(CONFIG)
    return folder


def start(folder: pathlib.Path, name: str, *settings: str) -> subprocess.Popen:
    """`slm study` in a process of its own, with the devices a user has and not the tests' eight."""
    command = ["study", f"--config={folder / 'tiny.py'}", f"--workdir={folder / name}", *settings]
    return subprocess.Popen(
        [sys.executable, "-m", "slm_jax", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def study(folder):
    """The folder of an undisturbed study, and what it printed."""
    process = start(folder, "undisturbed")
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return folder / "undisturbed", output


@pytest.mark.slow
def test_a_study_from_text_to_report(study):
    directory, output = study
    plan = read_json(directory / "plan.json")["runs"]
    with (directory / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [run["name"] for run in plan]
    assert len(rows) == 6
    for row, run in zip(rows, plan, strict=True):
        assert float(row["flops"]) == pytest.approx(6 * run["params"] * run["tokens"])
        assert 0 < float(row["loss"]) < 4.5  # log 42 is 3.7
        for task in ("minimal_pairs", "topic_cloze"):
            low, value, high = (float(row[f"{task}{end}"]) for end in ("_low", "", "_high"))
            assert 0 <= low <= value <= high <= 1
    laws = read_json(directory / "laws.json")
    assert laws["groups"]["speech"]["runs"] == 6
    report = (directory / "report.html").read_text(encoding="utf-8")
    assert all(run["name"] in report for run in plan)
    assert "<svg" in report or "data:image" in report
    assert "[8/8]" in output


@pytest.mark.slow
def test_evaluating_a_run_alone_gives_the_scores_of_the_study(study, tmp_path):
    directory, _ = study
    run = read_json(directory / "plan.json")["runs"][0]["name"]
    out = tmp_path / "scores.json"
    command = ["evaluate", "--checkpoint", directory / "runs" / run, "--data", directory / "data" / "pairs"]
    assert cli.main([str(part) for part in [*command, "--task", "minimal_pairs", "--out", out]]) == 0
    expected = json.loads((directory / "runs" / run / "minimal_pairs.json").read_text())
    assert json.loads(out.read_text())["accuracy"] == expected["accuracy"]


@pytest.mark.slow
def test_a_study_killed_in_every_stage_ends_with_the_same_results(study, folder):
    for stage in ("[2/8]", "[4/8]", "  run 3 of 6", "[6/8]"):
        process = start(folder, "killed")
        for line in process.stdout:
            if stage in line:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    process = start(folder, "killed")
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    expected = (study[0] / "results.csv").read_bytes()
    assert (folder / "killed" / "results.csv").read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("--config.seed=5", "seed: 0 there, 5 now"),
        (
            "--config.optimizer.peak_rate=0.1",
            "optimizer.peak_rate: 0.0005 there, 0.1 now",
        ),  # of finished runs
        ("--config.context=50", "run again with --config.context="),
        ("--config.mesh.data=7", "does not fill"),
        ("--config.tokenizer.encoder='hubert'", "encoder 'hubert' has weights"),
    ],
)
def test_a_finished_study_called_with_other_settings_is_refused(study, folder, setting, message):
    process = start(folder, "undisturbed", setting)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert message in output
    assert "Traceback" not in output
