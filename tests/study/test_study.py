"""A whole study of seconds as a user runs it: undisturbed once, killed at random, and changed afterwards."""

import contextlib
import csv
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from slm_jax import cli
from slm_jax.data import sole_run
from slm_jax.files import read_json

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("SLM_JAX_KILLS", "1"))
CONFIG = """
from slm_jax.study import default_study

def get_config():
    study = default_study()
    study.name = "tiny"
    study.corpora.stories = {"kind": "grammar", "stories": 60, "voices": ("us_female",)}
    study.corpora.prose = {"kind": "prose", "passages": 40, "voices": ("us_female",)}
    study.tokens.units = {"kind": "units", "units": 40, "sample_seconds": 100.0}
    study.tokens.pieces = {"kind": "pieces", "of": "units", "vocabulary": 60}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 2, "voices": ("us_female",)}
    study.arms.speech = {"corpus": "stories", "tokens": "units", "seeds": (0, 1)}
    study.arms.prose = {"corpus": "prose", "tokens": "units"}
    study.arms.pieces = {"corpus": "stories", "tokens": "pieces"}
    study.arms.text = {"corpus": "stories", "tokens": "letters"}
    study.grid.budgets, study.grid.sizes, study.grid.branches = (1e9, 2e9), ("12k",), True
    study.grid.min_steps, study.grid.max_epochs = 3, 100.0
    study.optimizer.schedule, study.optimizer.min_warmup_steps = "wsd", 2
    study.context, study.batch_size, study.log_every, study.checkpoint_every = 288, 2, 4, 8
    study.resamples = 20
    return study
"""
RUNS = 10
SPEECH_ALONE = (
    "--config.arms={'speech': {'corpus': 'stories', 'tokens': 'units', 'seeds': (0, 1)}}",
    "--config.claims={}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    (folder / "tiny.py").write_text(CONFIG)
    return folder


def start(*words: str | pathlib.Path) -> subprocess.Popen:
    """`slm study ...` in a process of its own, with the devices a user has and not the tests' eight."""
    return subprocess.Popen(
        [sys.executable, "-m", "slm_jax", "study", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(*words: str | pathlib.Path) -> str:
    process = start(*words)
    output, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, output
    return output


def made(directory: pathlib.Path) -> dict[str, float]:
    """When each run was trained."""
    return {path.parent.name: path.stat().st_mtime for path in directory.glob("runs/*/metrics.jsonl")}


def rows(directory: pathlib.Path) -> list[dict]:
    with (directory / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(folder):
    """The folder of an undisturbed study, and what it printed."""
    directory = folder / "undisturbed"
    return directory, run(f"--config={folder / 'tiny.py'}", f"--workdir={directory}", "--at-once", "2")


@pytest.fixture
def copy(study, tmp_path):
    """One to change."""
    return shutil.copytree(study[0], tmp_path / "copy")


def test_a_study_from_text_to_report(study):
    directory, output = study
    plan = read_json(directory / "plan.json")["runs"]
    assert [row["model"] for row in rows(directory)] == [run["name"] for run in plan]
    assert len(plan) == RUNS and {run["arm"] for run in plan} == {"speech", "prose", "pieces", "text"}
    for row, planned in zip(rows(directory), plan, strict=True):
        assert float(row["flops"]) == pytest.approx(6 * planned["params"] * planned["tokens"])
        assert 0 < float(row["loss"]) < 5.6  # log 258 is 5.55
        if row["modality"] == "speech":  # what is written has no seconds
            assert float(row["loss_per_second"]) > float(row["loss"])
        else:
            assert row["loss_per_second"] == ""
        low, value, high = (float(row[f"minimal_pairs{end}"]) for end in ("_low", "", "_high"))
        assert 0 <= low <= value <= high <= 1
        summary = read_json(directory / "runs" / planned["name"] / "summary.json")
        assert summary.get("shared_steps", 0) == planned["shared_steps"]
        assert bool(planned["trunk"]) == (planned["budget"] == 1e9)
    assert {row["modality"] for row in rows(directory)} == {"speech", "text"}
    report = (directory / "report.html").read_text(encoding="utf-8")
    assert all(run["name"] in report for run in plan)
    assert "[6/6]" in output and f"{RUNS} of {RUNS} runs done" in output
    assert not (directory / "failed").exists()


def test_its_status_and_its_report_again(study):
    directory, _ = study
    lines = run("status", "--workdir", directory).splitlines()
    assert len(lines) == RUNS + 1 and lines[-1] == f"{RUNS} of {RUNS} runs done"
    assert all(line.split()[1:] == ["done", "100%"] for line in lines[:-1])
    before = (directory / "results.csv").read_bytes()
    assert "report.html" in run("report", "--workdir", directory)
    assert (directory / "results.csv").read_bytes() == before


def test_evaluating_a_run_alone_gives_the_scores_of_the_study(study, tmp_path):
    directory, _ = study
    name = read_json(directory / "plan.json")["runs"][0]["name"]
    out, data = tmp_path / "scores.json", directory / "data" / "units" / "minimal_pairs"
    command = ["evaluate", "--checkpoint", directory / "runs" / name, "--data", data]
    assert cli.main([str(part) for part in [*command, "--task", "minimal_pairs", "--out", out]]) == 0
    expected = json.loads((directory / "runs" / name / "minimal_pairs.json").read_text())
    assert json.loads(out.read_text())["accuracy"] == expected["accuracy"]


def test_a_study_killed_again_and_again_ends_with_the_same_results(study, folder):
    """Stage by stage, with the whole group of processes killed at random moments of the work."""
    seed = int(os.environ.get("SLM_JAX_SEED", time.time()))
    print(f"SLM_JAX_SEED={seed}")
    draw, directory = random.Random(seed), folder / "killed"
    shutil.copytree(study[0] / "corpora", directory / "corpora")  # the rest may be killed
    shutil.copytree(study[0] / "tasks", directory / "tasks")
    shutil.copyfile(study[0] / "plan.json", directory / "plan.json")
    longest = sum(read_json(study[0] / "timings.json").values())
    words = (f"--config={folder / 'tiny.py'}", f"--workdir={directory}", "--at-once", "2")
    for _ in range(KILLS):
        process = start(*words)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=draw.uniform(0.05, 0.7) * longest)
        parent_alone = draw.random() < 0.5  # then its workers are to end by themselves
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL) if parent_alone else os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    run(*words)
    assert (directory / "results.csv").read_bytes() == (study[0] / "results.csv").read_bytes()


def test_sigterm_saves_and_the_rest_is_for_workers(study, folder, tmp_path):
    """Prepared, begun, stopped, gone on with by workers beside each other, and reported."""
    directory = shutil.copytree(study[0], tmp_path / "stopped")
    for name in ("speech-12k-2e9", "speech-12k-1e9"):
        shutil.rmtree(directory / "runs" / name)
    worker = start("train", "--workdir", directory)
    while not (directory / "runs" / "speech-12k-2e9" / "metrics.jsonl").exists():
        assert worker.poll() is None
        time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=300)
    assert worker.returncode == 0 and "the same command goes on" in output
    assert not (directory / "failed").exists()
    workers = [start("train", "--workdir", directory) for _ in range(2)]
    assert [worker.communicate(timeout=900) and worker.returncode for worker in workers] == [0, 0]
    run("report", "--workdir", directory)
    # Their numbers of devices were others, which changes last digits, and so one answer at most.
    for found, expected in zip(rows(directory), rows(study[0]), strict=True):
        assert found["model"] == expected["model"]
        assert float(found["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-5)
        assert float(found["minimal_pairs"]) == pytest.approx(float(expected["minimal_pairs"]), abs=1 / 16)


def test_a_budget_and_a_task_are_added_without_training_anything_again(study, folder, copy):
    before = made(copy)
    words = (f"--config={folder / 'tiny.py'}", f"--workdir={copy}", "--at-once", "1")
    run(
        *words,
        "--config.tasks.more_pairs={'kind': 'minimal_pairs', 'pairs': 3, 'voices': ('us_female',)}",
        "--config.arms.text.budgets=(1e9, 2e9, 3e9)",
    )
    after = made(copy)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"text-12k-3e9"}
    assert all(0 <= float(row["more_pairs"]) <= 1 for row in rows(copy))
    planned = {run["name"]: run for run in read_json(copy / "plan.json")["runs"]}
    assert planned["text-12k-2e9"]["trunk"] == ""  # it was made before there was a longer one


def test_a_run_that_diverges_is_reported_and_stops_no_other(study, folder, tmp_path):
    directory = tmp_path / "diverging"
    for name in ("corpora", "tasks", "tokens", "data", "plan.json", "compile_cache"):
        copy = shutil.copytree if (study[0] / name).is_dir() else shutil.copyfile
        copy(study[0] / name, (directory.mkdir(exist_ok=True) or directory) / name)
    words = (f"--config={folder / 'tiny.py'}", f"--workdir={directory}", "--at-once", "1", *SPEECH_ALONE)
    process = start(*words, "--config.optimizer.peak_rate=1e18", "--config.optimizer.clip=1e30")
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 2 and "only 0 runs finished" in output
    assert len(list((directory / "failed").glob("*.json"))) == 4
    assert "4 failed" in run("status", "--workdir", directory)


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        (
            ["--config.seed=5", "--config.corpora.stories.stories=61", "--config.fit_on=prose"],
            [
                "seed: 0 there, 5 now",
                "corpora.stories.stories: 60 there, 61",
                "fit_on: 'stories' there, 'prose'",
            ],
        ),
        (["--config.optimizer.peak_rate=0.1"], ["optimizer.peak_rate: 0.0005 there, 0.1 now"]),
        (["--config.mesh.data=7"], ["does not fill"]),
    ],
    ids=["data", "finished runs", "mesh"],
)
def test_a_finished_study_called_with_other_settings_is_refused(study, folder, settings, messages):
    before = read_json(study[0] / "plan.json")
    process = start("prepare", f"--config={folder / 'tiny.py'}", f"--workdir={study[0]}", *settings)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 2 and "Traceback" not in output
    assert all(message in output for message in messages)
    after = read_json(study[0] / "plan.json")
    assert (after["runs"], after["config"]) == (before["runs"], before["config"])


def test_one_preparation_at_a_time(study, folder):
    with sole_run(study[0] / ".preparing"):
        process = start("prepare", f"--config={folder / 'tiny.py'}", f"--workdir={study[0]}")
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 2 and "another run is at work there" in output
