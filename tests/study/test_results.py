"""The curves of runs: what compute each logged loss took."""

import csv

import numpy as np

from slm_jax.files import write_json, write_jsonl
from slm_jax.study import PlannedRun, default_study, parse_study
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.report.arms import describe_arms
from slm_jax.study.results import read_curves, write_results


def test_a_curve_ends_at_the_compute_of_its_run(tmp_path):
    """Of experts a token sees a share of the parameters, so that N counts more than C / (6 D)."""
    run = tmp_path / "speech-30k-1e12"
    write_json(run / "summary.json", {"params": 1000, "tokens": 400, "flops": 6.0 * 300 * 400})
    write_jsonl(
        run / "metrics.jsonl",
        [{"step": step, "tokens": 200 * step, "loss": 4.0 - step} for step in (1, 2)],
    )
    flops_S, loss_S, params = read_curves([run])["speech-30k-1e12"]
    np.testing.assert_allclose(flops_S, [360_000, 720_000])
    np.testing.assert_array_equal(loss_S, [3.0, 2.0])
    assert params == 1000


def test_all_corpora_of_a_run_are_named(tmp_path):
    study, folder = default_study(), StudyFolder(tmp_path)
    study.corpora.stories, study.corpora.prose = {"kind": "grammar"}, {"kind": "prose"}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.arms.both = {"corpus": "stories", "also": ("prose",), "tokens": "letters"}
    run = PlannedRun("both-12k-1e9", "12k", 1e9, 10, 100, 5, 6e3, "both")
    summary = {"params": 10, "tokens": 100, "unique_tokens": 90, "flops": 6e3, "validation_loss": 2.0}
    write_json(folder.run(run.name) / "summary.json", summary)
    write_json(folder.score(run.name, LOSS), {"loss": {"total": {"nats_per_second": None}}})
    write_results(folder, [run], parse_study(study))
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["corpus"] for row in csv.DictReader(file)] == ["stories+prose"]


def test_an_arm_has_the_hours_of_all_its_corpora():
    arm = {"corpus": "stories", "also": ["prose"], "tokens": "units", "model": {}}
    arm |= {"context": 0, "batch_size": 0}
    config = {"arms": {"both": arm}, "tokens": {"units": {"kind": "folder"}}, "context": 64, "batch_size": 2}
    run = {"arm": "both", "group": "both", "unique_tokens": 9, "params": 10, "seed": 0, "loss": 2.0}
    run |= {"loss_mark": "", "loss_per_second": None, "tasks": {}, "flops": 6e3}
    hours = {("units", "stories"): 2.0, ("units", "prose"): 3.0, ("k50", "prose"): 3.0}
    datasets = [
        {"tokens": tokens, "source": source, "statistics": {"train": {"hours": of}}}
        for (tokens, source), of in hours.items()
    ]
    (row,) = describe_arms({"config": config, "runs": []}, [run], datasets)
    assert row["hours"] == 5.0 and row["corpus"] == "stories and prose"
