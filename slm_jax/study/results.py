"""What the runs of a study came to: one table, and the curves of their training losses."""

import csv
import pathlib

import numpy as np

from slm_jax.files import atomic_path, read_json
from slm_jax.training import read_metrics, training_flops


def write_results(path: pathlib.Path, run_dirs: list[pathlib.Path], tokenizer: str, tasks: list[str]) -> None:
    """results.csv: one row a run, with the macro accuracy of each task and its 95 % interval."""
    rows = [_row(run_dir, tokenizer, tasks) for run_dir in run_dirs]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _row(run_dir: pathlib.Path, tokenizer: str, tasks: list[str]) -> dict:
    summary = read_json(run_dir / "summary.json")
    row = {"model": run_dir.name, "modality": "speech", "tokenizer": tokenizer}
    row |= {name: summary[name] for name in ("params", "tokens", "unique_tokens", "flops")}
    row["loss"] = summary["validation_loss"]
    for task in tasks:
        macro = read_json(run_dir / f"{task}.json")["accuracy"]["macro"]
        row |= {task: macro["value"], f"{task}_low": macro["low"], f"{task}_high": macro["high"]}
    return row


def read_curves(run_dirs: list[pathlib.Path]) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Of each run: FLOPs and training loss at every logged step, and the parameters."""
    curves = {}
    for run_dir in run_dirs:
        rows, params = read_metrics(run_dir), read_json(run_dir / "summary.json")["params"]
        flops_S = np.array([training_flops(params, row["tokens"]) for row in rows])
        curves[run_dir.name] = (flops_S, np.array([row["loss"] for row in rows]), params)
    return curves
