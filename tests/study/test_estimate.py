"""What a study is said to cost, against what it costs."""

import dataclasses
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from tiny_study import tiny_study

from slm_jax import cli
from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.study import ArmData, PlannedRun, parse_study, plan_grid
from slm_jax.study import estimate as front_door
from slm_jax.study.estimate import cost, estimate_study, format_estimate
from slm_jax.study.estimate.data import DatasetSize, StudyData, study_data
from slm_jax.study.estimate.speed import Speed, speed_here, speed_of_runs
from slm_jax.study.folder import StudyFolder
from slm_jax.study.making import RunMaker
from slm_jax.study.preparation import Preparation


def planned(name: str, params: int, tokens: int, **fields) -> PlannedRun:
    return PlannedRun(name, "30k", 1e9, params, tokens, 100, 6.0 * params * tokens, "speech", **fields)


def made_up_data(**changes) -> StudyData:
    size = DatasetSize(records=1_000, tokens=99_000.0, seconds=5_000.0, bytes=3e6)
    task = DatasetSize(records=200, tokens=9_000.0, seconds=400.0, bytes=1e5)
    tokens = ("units", "letters")
    sizes = {(of, "stories"): size for of in tokens} | {(of, "minimal_pairs"): task for of in tokens}
    arms = {"speech": ArmData(32, 97_000.0), "text": ArmData(30, 97_000.0)}
    return dataclasses.replace(StudyData(arms, sizes, 5_000, {"units": 0.01}, False), **changes)


SPEED = Speed(base=1e-5, per_param=1e-9, source="a stopwatch")


@pytest.fixture
def estimated(monkeypatch):
    """An estimate of the tiny study from made-up data and speed, with the changes to its config."""

    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # what is made up is of this process alone

    def estimate(**changes):
        monkeypatch.setattr(cost, "study_data", lambda *_: made_up_data())
        monkeypatch.setattr(cost, "speed_here", lambda *_: SPEED)
        return estimate_study(tiny_study(**changes), at_once=2)

    return estimate


def data_by_jax(*_) -> StudyData:
    jax.devices()
    return made_up_data()


@pytest.mark.slow
def test_accelerators_are_left_to_the_processes_whose_speed_is_measured():
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, test_estimate
from tiny_study import tiny_study
from slm_jax.study import machine
from slm_jax.study.estimate import cost
machine._accelerators = lambda: ("CUDA_VISIBLE_DEVICES", ["0"])
cost.study_data, cost.speed_here = test_estimate.data_by_jax, lambda *_: test_estimate.SPEED
assert cost.estimate_study(tiny_study()).workers == 1
jax.config.update("jax_num_cpu_devices", 3)  # which JAX takes before it is used alone
assert jax.device_count() == 3
"""
    subprocess.run([sys.executable, "-c", program, os.path.dirname(__file__)], check=True)


def test_compute_is_that_of_the_grid_without_what_trunks_save(estimated):
    grid = {"branches": True, "budgets": (1e9, 2e9, 4e9)}
    found = estimated(grid=grid, optimizer={"schedule": "wsd"})
    config = parse_study(tiny_study(grid=grid, optimizer={"schedule": "wsd"}))
    runs = plan_grid(config, made_up_data().arms)
    assert found.runs == runs and any(run.trunk for run in runs)
    assert found.flops + found.saved_flops == pytest.approx(sum(run.flops for run in runs))
    shared = sum(6 * run.params * run.tokens * run.shared_steps / run.steps for run in runs)
    assert found.saved_flops == pytest.approx(shared) and shared > 0


def test_time_is_a_workers_share_or_the_longest_chain():
    config, data = parse_study(tiny_study()), made_up_data()
    scoring = (99_000 + 1_000 - 97_000 + 9_000) / 3  # held-out tokens and those of the task
    runs = [planned("a", 10_000, 10**6), planned("b", 10_000, 10**6), planned("c", 10_000, 10**6)]
    one = (10**6 + scoring) * (1e-5 + 1e-9 * 10_000)
    found = cost._training_seconds(config, data, SPEED, runs, workers=2)
    assert found == pytest.approx(3 * one / 2)
    assert cost._training_seconds(config, data, SPEED, runs, workers=9) == pytest.approx(one)
    branch = planned("d", 10_000, 10**6, trunk="a", shared_steps=60)
    found = cost._training_seconds(config, data, SPEED, [runs[0], branch], workers=9)
    assert found == pytest.approx(one + (0.4 * 10**6 + scoring) * 2e-5)
    measured = dataclasses.replace(SPEED, beside=7.0)
    found = cost._training_seconds(config, data, measured, [runs[0]], workers=1)
    assert found == pytest.approx(10**6 * 2e-5 + 7)


def test_preparing_encodes_every_second_and_the_sample_twice_more(estimated, monkeypatch):
    monkeypatch.setattr(cost, "available_cores", lambda: 4)
    assert estimated().prepare_seconds == pytest.approx(0.01 * (5_000 + 400 + 2 * 60) / 4)


def test_of_several_corpora_the_first_alone_is_scored():
    study = tiny_study(tasks={})
    study.tasks = {}
    study.corpora.prose = {"kind": "prose"}
    study.arms.speech.also = ("prose",)
    del study.arms.text
    size = DatasetSize(records=1_000, tokens=99_000.0, seconds=5_000.0, bytes=3e6)
    sizes = {("units", "stories"): size, ("units", "prose"): dataclasses.replace(size, tokens=299_000.0)}
    data = StudyData({"speech": ArmData(32, 384_000.0)}, sizes, 5_000, {}, True)  # of 400,000
    assert cost._scored_tokens(parse_study(study), data, "speech") == pytest.approx(4_000)


def test_speed_is_a_line_in_parameters(tmp_path):
    folder, runs = StudyFolder(tmp_path), [planned(str(n), n, 1_000) for n in (10_000, 50_000, 400_000)]
    assert speed_of_runs(folder, runs) is None
    for run in runs:
        speed = 1 / (2e-5 + 3e-10 * run.params)
        write_json(folder.run(run.name) / "summary.json", {"tokens_per_second": speed})
        write_json(folder.times(run.name), {"seconds": 1_000 / speed + 7})
    found = speed_of_runs(folder, runs)
    assert found.seconds(1_000, 200_000) == pytest.approx(1_000 * (2e-5 + 3e-10 * 200_000), rel=1e-6)
    assert "3 finished runs" in found.source and found.beside == pytest.approx(7)
    write_json(folder.run("10000") / "summary.json", {"tokens_per_second": 1.0})  # slower than larger ones
    assert speed_of_runs(folder, runs).per_param >= 0


def test_a_plan_is_read_by_people(estimated):
    text = format_estimate(estimated())
    assert "speech: stories in units, vocabulary 32, about 97,000 tokens a pass" in text
    rows = [line for line in text.splitlines() if line.lstrip().startswith(("12k", "30k"))]
    assert len(rows) == 4 and all(" 1e9 " in row for row in rows)
    assert "Estimated from the first 64 recordings" in text and "by a stopwatch" in text
    assert "runs   4 of 2 arms, 2 at once" in text


def test_speed_is_of_the_updates_that_were_made(tmp_path):
    """A branch of a trunk that failed made all of them, whatever was planned."""
    folder, branch = StudyFolder(tmp_path), planned("b", 10_000, 1_000, trunk="t", shared_steps=60)
    summary = {"tokens_per_second": 100.0}
    for shared, seconds in (({}, 10.0), ({"shared_steps": 60}, 4.0)):
        write_json(folder.run("b") / "summary.json", summary | shared)
        write_json(folder.times("b"), {"seconds": seconds + 7})
        assert speed_of_runs(folder, [branch]).beside == pytest.approx(7)


@pytest.mark.parametrize("field", ["tables", "data"])
def test_the_config_of_no_study_is_refused(field):
    with pytest.raises(InputError, match=rf"config\.{field}"):
        estimate_study({field: ()})


def test_slm_plan_takes_a_budget_or_a_config(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(front_door, "estimate_study", lambda *args, **named: asked.append((args, named)))
    monkeypatch.setattr(front_door, "format_estimate", lambda _: "the plan")
    file = tmp_path / "study.py"
    file.write_text("from slm_jax.study import default_study as get_config\n")
    command = ["plan", f"--config={file}", "--config.context=64", "--workdir", "there", "--at-once", "3"]
    assert cli.main(command) == 0
    ((config, workdir), named), *_ = asked
    assert (config["context"], workdir, named) == (64, "there", {"at_once": 3})
    assert capsys.readouterr().out == "the plan\n"
    assert cli.main(["plan", f"--config={file}", "--laws", "laws.json"]) == 2
    assert "--laws is for a --budget" in capsys.readouterr().err
    assert cli.main(["plan", "--budget", "1e17", "--workdir", "there"]) == 2
    assert "are of a study" in capsys.readouterr().err
    assert cli.main(["plan", "--budget", "1e17", "--config.context=64"]) == 2
    assert "unknown argument --config.context" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["plan", f"--config={file}", "--budget", "1e17"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = StudyFolder(tmp_path_factory.mktemp("study"))
    preparation = Preparation(parse_study(tiny_study()), folder)
    preparation.write()
    preparation.tokenize()
    return folder


@pytest.mark.slow
def test_what_a_sample_says_is_what_is_counted(prepared):
    """All 40 recordings are in the sample, so that tokens, runs and compute are exact."""
    config = parse_study(tiny_study())
    sampled, counted = study_data(config, None), study_data(config, prepared)
    assert counted.is_counted and not sampled.is_counted
    assert sampled.arms == counted.arms
    assert sampled.datasets.keys() == counted.datasets.keys()
    for pair, size in counted.datasets.items():
        near = 1e-9 if pair[1] == "stories" else 0.2  # tasks are judged by their letters
        assert sampled.datasets[pair].tokens == pytest.approx(size.tokens, rel=near)
        assert sampled.datasets[pair].records == size.records
        assert size.bytes / 2 < sampled.datasets[pair].bytes < size.bytes * 2
    assert sampled.text_bytes == counted.text_bytes
    assert list(sampled.encode_seconds) == ["units"] and sampled.encode_seconds["units"] > 0


@pytest.mark.slow
def test_disk_and_speed_of_a_trained_study(prepared):
    config = parse_study(tiny_study())
    runs = plan_grid(config, Preparation(config, prepared).arm_data())[:2]
    for run in runs:
        RunMaker(config, prepared, runs).make(run)
    data = study_data(config, prepared)
    disk = cost._disk(config, data, SPEED, runs)

    def used(pattern):
        files = [file for run in runs for file in prepared.run(run.name).glob(pattern)]
        return sum(file.stat().st_size for file in files if file.is_file())

    checkpoints = used("checkpoints/**/*")
    assert checkpoints / 2 < disk["checkpoints"] < checkpoints * 2
    logs = used("**/*") - checkpoints
    assert logs / 2 < disk["scores and logs"] < logs * 2
    assert disk["datasets"] == sum(size.bytes for size in data.datasets.values())
    speed = speed_here(config, runs, data, workers=1)
    assert speed.compile_seconds > 0 and speed.compile_bytes > 0
    assert np.isfinite(speed.seconds(1, 1_000)) and speed.seconds(1, 1_000) > 0
