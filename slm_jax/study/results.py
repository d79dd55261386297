"""What the runs of a study came to: one table, and the curves of their training losses."""

import csv
import pathlib

import numpy as np

from slm_jax.files import atomic_path, read_json
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import LOSS, RESULTS, SUMMARY, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.training import read_metrics


def write_results(folder: StudyFolder, runs: list[PlannedRun], config: StudyConfig) -> None:
    """results.csv: one row a run, with the macro accuracy of each task and its 95 % interval.

    A task that an arm is not measured on leaves its cells empty.
    """
    rows = [_row(folder, run, config) for run in runs]
    with (
        atomic_path(folder.path / RESULTS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, dict.fromkeys(column for row in rows for column in row))
        writer.writeheader()
        writer.writerows(rows)


def _row(folder: StudyFolder, run: PlannedRun, config: StudyConfig) -> dict:
    summary, arm = read_json(folder.run(run.name) / SUMMARY), config.arms[run.arm]
    row = {
        "model": run.name,
        "arm": run.arm,
        "modality": config.tokens_of(arm.tokens).modality,
        "tokenizer": arm.tokens,
        "corpus": "+".join(arm.corpora),
        "seed": run.seed,
    }
    row |= {name: summary[name] for name in ("params", "tokens", "unique_tokens", "flops")}
    row["loss"] = summary["validation_loss"]
    row["loss_per_second"] = read_json(folder.score(run.name, LOSS))["loss"]["total"]["nats_per_second"]
    for task in config.tasks_of(run.arm):
        macro = read_json(folder.score(run.name, task))["accuracy"]["macro"]
        row |= {task: macro["value"], f"{task}_low": macro["low"], f"{task}_high": macro["high"]}
    return row


def read_curves(run_dirs: list[pathlib.Path]) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Of each run: FLOPs and training loss at every logged step, and the parameters."""
    curves = {}
    for run_dir in run_dirs:
        rows, summary = read_metrics(run_dir), read_json(run_dir / SUMMARY)
        flops_a_token = summary["flops"] / summary["tokens"]  # of experts, those that a token sees
        flops_S = np.array([flops_a_token * row["tokens"] for row in rows])
        curves[run_dir.name] = (flops_S, np.array([row["loss"] for row in rows]), summary["params"])
    return curves
