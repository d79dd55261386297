"""Runs made one after another by one process: what it keeps in memory."""

import dataclasses

import jax
from planned import planned

from slm_jax.study import making
from slm_jax.study.folder import StudyFolder
from slm_jax.study.making import RunMaker


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
