"""The arms of a study: what each is, and how well its best run does."""

from slm_jax.study.report.best import lowest_loss
from slm_jax.study.report.numbers import words

TOKENS = {  # by kind, of the fields in the config
    "units": "{units} units, {frame_rate} frames/s",
    "units with weights": "{units} units of {encoder}",
    "pieces": "{vocabulary} pieces of {of}",
    "text": "{model}",
}


def describe_arms(plan: dict, runs: list[dict], datasets: list[dict]) -> list[dict]:
    """Rows of the arms that have a run; none for a study without arms."""
    config = plan["config"]
    rows = []
    for name, arm in config.get("arms", {}).items():
        own = [run for run in runs if run["arm"] == name]
        if not own:
            continue
        best = lowest_loss(own)
        unique = [run["unique_tokens"] for run in own if run["unique_tokens"]]
        rows.append(
            {
                "name": name,
                "group": own[0]["group"],
                "corpus": " and ".join(_corpora(arm)),
                "hours": _hours(datasets, arm),
                "tokens": arm["tokens"],
                "tokens_kind": _tokens(config["tokens"][arm["tokens"]]),
                "model": [f"{words(field)} {value}" for field, value in arm["model"].items()],
                "context": arm["context"] or config["context"],
                "batch_size": arm["batch_size"] or config["batch_size"],
                "sizes": sorted({run["params"] for run in own}),
                "runs": len(own),
                "planned": sum(run.get("arm") == name for run in plan["runs"]),
                "seeds": len({run["seed"] for run in own}),
                "unique_tokens": max(unique, default=None),
                "best": best,
                "loss": best and best["loss"],
                "loss_per_second": best and best["loss_per_second"],
                "tasks": _best_accuracies(own),
            }
        )
    return rows


def _tokens(fields: dict) -> str:
    kind = fields["kind"] + (" with weights" if fields.get("weights") else "")
    return TOKENS.get(kind, "{kind}").format_map({**fields, "kind": words(fields["kind"])})


def _hours(datasets: list[dict], arm: dict) -> float | None:
    """Of all its corpora; None of text."""
    own = [data for data in datasets if data["tokens"] == arm["tokens"] and data["source"] in _corpora(arm)]
    return sum(data["statistics"].get("train", {}).get("hours") or 0.0 for data in own) or None


def _corpora(arm: dict) -> list[str]:
    return [arm["corpus"], *arm.get("also", ())]  # which plans of older versions do not have


def _best_accuracies(runs: list[dict]) -> dict[str, dict]:
    """The highest accuracy of an arm's runs by task, with its interval."""
    names = dict.fromkeys(name for run in runs for name, found in run["tasks"].items() if found)
    return {
        name: max((run["tasks"][name] for run in runs if run["tasks"].get(name)), key=lambda a: a["value"])
        for name in names
    }
