"""The best run of a group of runs, phenomenon by phenomenon."""

import pathlib

from slm_jax.files import read_json

PRIMARY_TASK = "minimal_pairs"


def best_of_group(study_dir: pathlib.Path, group: str, runs: list[dict]) -> dict | None:
    """The run of a group with the highest accuracy and the one with the lowest measured loss, on every task.

    Marks the two. Losses do not compare between groups, and may be missing (`lowest` is None). None for a
    group that was evaluated on nothing.
    """
    runs = [run for run in runs if run["group"] == group]
    tasks = list(runs[0]["tasks"])
    if not tasks:
        return None
    task = PRIMARY_TASK if PRIMARY_TASK in tasks else tasks[0]
    evaluated = [run for run in runs if run["tasks"][task]]
    accurate = max(evaluated, key=lambda run: run["tasks"][task]["value"])
    lowest = lowest_loss(runs)
    accurate["marks"].append("best accuracy")
    if lowest:
        lowest["marks"].append("lowest loss")
    models = [accurate] if lowest in (accurate, None) else [accurate, lowest]
    return {
        "group": group,
        "task": task,
        "accurate": accurate,
        "lowest": lowest,
        "models": models,
        "runs": len(evaluated),
        "tables": [_phenomena(study_dir, name, [run["name"] for run in models]) for name in tasks],
    }


def lowest_loss(runs: list[dict]) -> dict | None:
    """The run of the lowest loss that was measured."""
    measured = [run for run in runs if run["loss"] is not None and not run["loss_mark"]]
    return min(measured, key=lambda run: run["loss"], default=None)


def _phenomena(study_dir: pathlib.Path, task: str, names: list[str]) -> dict:
    """Accuracies of a task by phenomenon: rows of {name, pairs, macro, models: [estimate or None]}."""
    paths = [study_dir / "runs" / name / f"{task}.json" for name in names]
    results = [read_json(path) if path.exists() else None for path in paths]
    accuracies = [result["accuracy"] if result else None for result in results]
    found = list(dict.fromkeys(p for accuracy in accuracies if accuracy for p in accuracy["phenomena"]))
    rows = []
    for phenomenon in found if len(found) > 1 else []:
        models = [accuracy and accuracy["phenomena"].get(phenomenon) for accuracy in accuracies]
        pairs = next(model["pairs"] for model in models if model)
        rows.append({"name": phenomenon, "pairs": pairs, "macro": False, "models": models})
    if found:
        models = [accuracy and accuracy["macro"] for accuracy in accuracies]
        pairs = next(result["pairs"] for result in results if result)
        name = "mean over phenomena" if rows else task
        rows.append({"name": name, "pairs": pairs, "macro": True, "models": models})
    return {"task": task, "rows": rows}
