"""The runs of a study as rows of a table, those that failed, and the compute of all."""

import math
import pathlib

import numpy as np

from slm_jax.files import read_json
from slm_jax.scaling import MEASURED, Runs, compute_budgets


def run_rows(study_dir: pathlib.Path, groups: dict[str, Runs], planned: list[dict]) -> list[dict]:
    """The rows of results.csv, by compute and size, with what each run's folder and its plan add."""
    plans = {run["name"]: run for run in planned}
    sources = sorted({source for runs in groups.values() for source in runs.loss_source} - set(MEASURED))
    rows = []
    for group, members in groups.items():
        for i, name in enumerate(members.model):
            folder, plan = study_dir / "runs" / name, plans.get(name, {})
            summary, loss = _found(folder / "summary.json"), _found(folder / "loss.json")
            source = members.loss_source[i] if members.loss_source else ""
            rows.append(
                {
                    "name": name,
                    "group": group,
                    "arm": plan.get("arm", ""),
                    "seed": plan.get("seed"),
                    "params": members.params_R[i],
                    "tokens": members.tokens_R[i],
                    "unique_tokens": _known(members.unique_tokens_R[i]),
                    "epochs": summary.get("epochs")
                    or _known(members.tokens_R[i] / members.unique_tokens_R[i]),
                    "flops": members.flops_R[i],
                    "loss": _known(members.loss_R[i]),
                    "loss_per_second": loss and loss["loss"]["total"]["nats_per_second"],
                    "loss_source": source if source in sources else "",
                    "loss_mark": "†" * (sources.index(source) + 1) if source in sources else "",
                    "tasks": {task: _accuracy(found, i) for task, found in members.tasks.items()},
                    "shared_steps": summary.get("shared_steps", 0),
                    "tokens_per_second": summary.get("tokens_per_second"),
                    "devices": summary.get("devices"),
                    "marks": [],
                }
            )
    rows.sort(key=lambda row: (row["flops"], row["params"]))
    for members in compute_budgets(np.array([row["flops"] for row in rows])):
        for i in members:
            rows[i]["opens_budget"] = i == members[0]
    return rows


def read_failures(folder: pathlib.Path) -> list[dict]:
    """{name, reason} of each run that failed."""
    return [read_json(path) for path in sorted(folder.glob("*.json"))]


def compute_spent(planned: list[dict], runs: list[dict]) -> dict | None:
    """FLOPs of the runs there are, those saved by trunks that runs share, and the seconds of all updates.

    Seconds are the tokens of a run over its speed, of one worker; None where a speed is not known. None
    without a plan.
    """
    plans = {run["name"]: run for run in planned}
    done = [(run, plans[run["name"]]) for run in runs if run["name"] in plans]
    if not done:
        return None
    shares = [run["shared_steps"] / plan["steps"] for run, plan in done]
    saved = sum(run["flops"] * share for (run, _), share in zip(done, shares, strict=True))
    total = sum(run["flops"] for run, _ in done)
    found = {"total": total, "spent": total - saved, "saved": saved, "share": saved / total, "seconds": None}
    if all(run["tokens_per_second"] for run, _ in done):
        found["seconds"] = sum(
            run["tokens"] * (1 - share) / run["tokens_per_second"]
            for (run, _), share in zip(done, shares, strict=True)
        )
    return found


def _found(path: pathlib.Path) -> dict:
    return read_json(path) if path.exists() else {}


def _accuracy(task, i: int) -> dict | None:
    value, low, high = (_known(column[i]) for column in (task.accuracy_R, task.low_R, task.high_R))
    return None if value is None else {"value": value, "low": low, "high": high}


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
