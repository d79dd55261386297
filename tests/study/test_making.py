"""Runs made by one process: what it keeps in memory, and what becomes of branches of a trunk."""

import dataclasses
import types

import jax
import pytest
from planned import begin, planned
from tiny_study import tiny_study

from slm_jax.files import read_json, write_json
from slm_jax.study import Study, making, parse_study
from slm_jax.study.folder import StudyFolder
from slm_jax.study.making import RunMaker
from slm_jax.study.trunks import as_begun, trunk_of
from slm_jax.training.checkpointing.seals import TIMES, seal


def test_compiled_programs_of_few_shapes_are_kept(tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(making, "SHAPES_KEPT", 2)
    monkeypatch.setattr(jax, "clear_caches", lambda: events.append("cleared"))
    monkeypatch.setattr(RunMaker, "train", lambda self, run: events.append(run.size))
    monkeypatch.setattr(RunMaker, "score", lambda self, run: None)
    runs = [dataclasses.replace(planned(str(number)), size=size) for number, size in enumerate("abbacca")]
    maker = RunMaker(None, StudyFolder(tmp_path), runs)
    for run in runs:
        maker.make(run)
    assert events == ["a", "b", "b", "a", "cleared", "c", "c", "a"]


def test_the_time_of_a_run_is_not_that_of_scoring_it_on_one_more_task(tmp_path, monkeypatch):
    folder, run = StudyFolder(tmp_path), planned("a")
    summary = folder.run("a") / "summary.json"
    monkeypatch.setattr(RunMaker, "train", lambda self, run: write_json(summary, {}))
    monkeypatch.setattr(RunMaker, "score", lambda self, run: None)
    clock = iter([100.0, 160.0, 200.0, 203.0])
    monkeypatch.setattr(making, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    for _ in range(2):
        RunMaker(None, folder, [run]).make(run)
    assert read_json(folder.times("a")) == {"seconds": 60.0}


BRANCH = planned("branch", trunk="trunk", shared_steps=60)


@pytest.fixture
def folder(tmp_path):
    """Of a trunk that kept the checkpoint of a branch."""
    folder = StudyFolder(tmp_path)
    checkpoint = folder.checkpoint("trunk", BRANCH.shared_steps)
    checkpoint.mkdir(parents=True)
    write_json(checkpoint / TIMES, {})
    (checkpoint / "params").write_text("numbers")
    seal(checkpoint)
    return folder


def damage(folder: StudyFolder) -> None:
    (folder.checkpoint("trunk", BRANCH.shared_steps) / "params").write_text("other numbers")


def test_a_branch_leaves_a_trunk_whose_checkpoint_is_whole(folder):
    assert trunk_of(folder, BRANCH) == str(folder.run("trunk"))
    assert trunk_of(folder, planned("alone")) == ""
    damage(folder)
    assert trunk_of(folder, BRANCH) == ""
    assert trunk_of(folder, dataclasses.replace(BRANCH, shared_steps=50)) == ""  # kept no checkpoint for it


@pytest.mark.parametrize("began_with", [True, False])
def test_a_run_that_is_begun_stays_as_it_is(folder, began_with):
    begin(folder, BRANCH, "where/the/trunk/was" if began_with else "")
    if began_with:
        damage(folder)  # it has left the trunk
    assert bool(trunk_of(folder, BRANCH)) == began_with
    assert as_begun(folder, BRANCH) == (BRANCH if began_with else planned("branch"))


@pytest.mark.slow
def test_a_branch_of_a_damaged_trunk_is_made_alone(tmp_path):
    grid = {"budgets": (1e9, 2e9), "sizes": ("12k",), "branches": True}
    study = tiny_study(grid=grid, optimizer={"schedule": "wsd"})
    del study.arms.speech
    study = Study(parse_study(study), tmp_path)
    study.prepare()
    branch, trunk = study.jobs().runs
    assert branch.trunk == trunk.name and branch.shared_steps > 0
    maker = RunMaker(study.config, study.folder, [branch, trunk])
    maker.make(trunk)
    kept = study.folder.checkpoint(trunk.name, branch.shared_steps)
    largest = max((path for path in kept.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(bytes(largest.stat().st_size))
    maker.make(branch)
    assert "trunk" not in read_json(study.folder.run(branch.name) / "summary.json")
    assert maker.as_made() == [dataclasses.replace(branch, trunk="", shared_steps=0), trunk]
