"""What to spend compute on next: ten times the largest budget, and the run that would teach most."""

import functools

import numpy as np

from slm_jax.scaling import Runs
from slm_jax.study.report.numbers import accuracy, count, fixed, interval, power, significant, task

PLAIN = "plain"
TARGETS = {
    "loss": "the loss at ten times the compute",
    "a": "a, how compute divides between size and data",
    "reducible_exponent": "how fast the reducible loss falls with compute",
}
two_digits = functools.partial(significant, digits=2)


def next_budgets(laws: dict, members: dict[str, Runs]) -> list[dict]:
    """Of each group what ten times its compute would buy, and the next runs that would teach most."""
    found = [_next(name, group, members[name]) for name, group in laws["groups"].items()]
    return [group for group in found if group["decade"]["rows"] or group["lessons"]]


def most_teaching(budgets: list[dict]) -> dict | None:
    """Of all groups the run that narrows the interval of the loss at ten times the compute most per FLOP."""
    runs = [row | {"group": group["group"]} for group in budgets for row in group["lessons"]]
    about_loss = [row for row in runs if row["key"] == "loss"]
    return max(about_loss, key=lambda row: row["narrows"] / row["flops"], default=None)


def _next(name: str, group: dict, runs: Runs) -> dict:
    decade = group["next_decade"]
    known = decade["by_loss_law"] and decade["by_loss_law"]["loss"]["low"] is not None
    corpus = group["unique_tokens"]
    beyond = [row for row in group["allocation"] if row["form"] == PLAIN and row["flops"] == decade["flops"]]
    return {
        "group": name,
        "corpus": corpus,
        "decade": _decade(decade, runs, corpus),
        "tenfold": _tenfold(decade, beyond[0] if beyond else None, corpus),
        "lessons": [
            {"target": TARGETS.get(row["target"], row["target"]), "key": row["target"], **row["best"]}
            for row in group["next_run"]
            if row["best"] and known  # what has no interval cannot narrow it
        ],
    }


def _tenfold(decade: dict, allocation: dict | None, corpus: float | None) -> dict:
    """The best split of ten times the compute, what it promises, and what half or double the size costs."""
    best = decade["by_loss_law"]
    return {
        "flops": decade["flops"],
        "params": best and best["params"],
        "tokens": best and best["tokens"],
        "passes": _passes(best["tokens"], corpus) if best and corpus else None,
        "loss": best["loss"] if best else decade["loss_by_compute_law"],
        "accuracy": decade["accuracy"],
        "off": allocation["off"] if allocation else [],
    }


def _passes(tokens: dict, corpus: float) -> str:
    """How often so many tokens go over the corpus, of an estimate."""
    epochs = {end: None if number is None else number / corpus for end, number in tokens.items()}
    return interval(epochs, two_digits)


def _decade(decade: dict, runs: Runs, corpus: float | None) -> dict:
    """Ten times the largest compute: rows of (what, that of a run so far, prediction, by which law).

    The run is that of the lowest measured loss, or else the most accurate on each task.
    """
    measured_R = runs.measured_R
    rows, by_line = [], "power law of the frontier"
    lowest = int(np.where(measured_R, runs.loss_R, np.inf).argmin()) if measured_R.any() else None
    loss = None if lowest is None else fixed(runs.loss_R[lowest], 3)
    best = decade["by_loss_law"]
    if best:
        size, tokens = count(runs.params_R[lowest]), count(runs.tokens_R[lowest])
        rows.append(("Parameters", size, interval(best["params"], count), "loss law"))
        rows.append(("Tokens", tokens, interval(best["tokens"], count), "loss law"))
        if corpus:
            passes = two_digits(runs.tokens_R[lowest] / corpus)
            rows.append(("Passes over the corpus", passes, _passes(best["tokens"], corpus), "loss law"))
        rows.append(("Loss (nats per token)", loss, interval(best["loss"]), "loss law"))
    if decade["loss_by_compute_law"]:
        rows.append(("Loss (nats per token)", loss, interval(decade["loss_by_compute_law"]), by_line))
    for name, found in decade["accuracy"].items():
        accuracy_R = runs.tasks[name].accuracy_R
        today = np.nanmax(accuracy_R) if lowest is None else accuracy_R[lowest]
        today = fixed(today if np.isfinite(today) else None)
        rows.append((f"Accuracy, {task(name)}", today, accuracy(found), by_line))
    today = "most accurate run" if lowest is None else "lowest-loss run"
    return {"flops": power(decade["flops"]), "rows": rows, "today": today}
