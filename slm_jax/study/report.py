"""A study directory as one page to read, show and print: report.html."""

import json
import math
import os
import pathlib

import jinja2
import numpy as np

from slm_jax.data import open_dataset
from slm_jax.files import atomic_path, read_json, read_jsonl
from slm_jax.scaling import MEASURED, Runs, compute_budgets, read_runs
from slm_jax.study import report_numbers as numbers
from slm_jax.study.report_laws import describe_comparisons, describe_group
from slm_jax.study.report_media import Clip, read_clips, read_figures
from slm_jax.tokenizer import read_config

REPORT = "report.html"
TEMPLATE = "report.html"
PRIMARY_TASK = "minimal_pairs"
OPTIONAL_PLAN = dict.fromkeys(("seed", "command", "commit", "machine", "started")) | {
    "config": {},
    "versions": {},
}
DATASETS = ("stories", "pairs", "cloze")


def write_report(study_dir: str | os.PathLike) -> pathlib.Path:
    """Writes report.html into a study directory and returns its path; docs/report.md says what is in it.

    The page is one file that loads nothing. plan.json, results.csv and laws.json are needed (InputError when
    one is missing or broken); whatever else is not there is left out of the page.
    """
    study_dir = pathlib.Path(study_dir)
    page = _environment().get_template(TEMPLATE).render(_content(study_dir))
    with atomic_path(study_dir / REPORT) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return study_dir / REPORT


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for form in (
        "count",
        "power",
        "significant",
        "fixed",
        "interval",
        "accuracy",
        "duration",
        "hours",
        "words",
        "task",
        "typeset",
        "percent",
    ):
        environment.filters[form] = getattr(numbers, form)
    return environment


def _content(study_dir: pathlib.Path) -> dict:
    """Everything the template shows."""
    plan = OPTIONAL_PLAN | read_json(study_dir / "plan.json")
    laws = read_json(study_dir / "laws.json")
    table = read_runs(study_dir / "results.csv")
    members = table.groups()
    sources = sorted({source for source in table.loss_source if source not in MEASURED})
    runs = _run_rows(study_dir, members, sources)
    datasets = _datasets(study_dir / "data")
    return {
        "plan": plan,
        "config": json.dumps(plan["config"], indent=2, ensure_ascii=False),
        "confidence": laws["confidence"],
        "resamples": laws["resamples"],
        "groups": [describe_group(name, group, members[name]) for name, group in laws["groups"].items()],
        "comparisons": describe_comparisons(laws),
        "published": _optional(study_dir / "published.json", None),
        "figures": read_figures(study_dir / "figures"),
        "tasks": list(table.tasks),
        "runs": runs,
        "loss_sources": sources,
        "timed": any(run["tokens_per_second"] for run in runs),
        "budgets": sum(run["opens_budget"] for run in runs),
        "failed": _optional(study_dir / "failed.json", []),
        "bests": [best for name in members if (best := _best(study_dir, name, runs))],
        "datasets": datasets,
        "training_speech": next((data["statistics"].get("train") for data in datasets), None),
        "tokenizer": _tokenizer(study_dir / "tokenizer"),
        "examples": _examples(study_dir),
        "timings": _optional(study_dir / "timings.json", {}),
    }


def _optional(path: pathlib.Path, default):
    return read_json(path) if path.exists() else default


def _run_rows(study_dir: pathlib.Path, groups: dict[str, Runs], sources: list[str]) -> list[dict]:
    """The rows of results.csv with what each run's summary adds, by compute and size."""
    rows = []
    for group, members in groups.items():
        for i, name in enumerate(members.model):
            summary = _optional(study_dir / "runs" / name / "summary.json", {})
            source = members.loss_source[i] if members.loss_source else ""
            rows.append(
                {
                    "name": name,
                    "group": group,
                    "params": members.params_R[i],
                    "tokens": members.tokens_R[i],
                    "epochs": summary.get("epochs")
                    or _known(members.tokens_R[i] / members.unique_tokens_R[i]),
                    "flops": members.flops_R[i],
                    "loss": _known(members.loss_R[i]),
                    "loss_mark": "†" * (sources.index(source) + 1) if source in sources else "",
                    "tasks": {task: _accuracy(found, i) for task, found in members.tasks.items()},
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


def _accuracy(task, i: int) -> dict | None:
    value, low, high = (_known(column[i]) for column in (task.accuracy_R, task.low_R, task.high_R))
    return None if value is None else {"value": value, "low": low, "high": high}


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _best(study_dir: pathlib.Path, group: str, runs: list[dict]) -> dict | None:
    """The run of a group with the highest accuracy and the one with the lowest measured loss, on every task.

    Marks the two. Losses do not compare between groups, and may be missing (`lowest` is None).
    """
    runs = [run for run in runs if run["group"] == group]
    tasks = list(runs[0]["tasks"])
    if not tasks:
        return None
    task = PRIMARY_TASK if PRIMARY_TASK in tasks else tasks[0]
    evaluated = [run for run in runs if run["tasks"][task]]
    accurate = max(evaluated, key=lambda run: run["tasks"][task]["value"])
    measured = [run for run in runs if run["loss"] is not None and not run["loss_mark"]]
    lowest = min(measured, key=lambda run: run["loss"], default=None)
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


def _phenomena(study_dir: pathlib.Path, task: str, names: list[str]) -> dict:
    """Accuracies of a task by phenomenon: rows of {name, pairs, macro, models: [estimate or None]}."""
    results = [_optional(study_dir / "runs" / name / f"{task}.json", None) for name in names]
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


def _datasets(folder: pathlib.Path) -> list[dict]:
    rows = []
    for name in DATASETS:
        if (folder / name).is_dir():
            dataset = open_dataset(folder / name)
            row = {"name": name, "fingerprint": dataset.fingerprint, "statistics": dataset.statistics()}
            rows.append(row | {"tokenizer_fingerprint": dataset.tokenizer_fingerprint})
    return rows


def _tokenizer(folder: pathlib.Path) -> dict | None:
    return read_config(folder) if folder.is_dir() else None


def _examples(study_dir: pathlib.Path) -> dict:
    """A story, a pair of each phenomenon and a cloze item as text, and clips of a story and a pair."""
    text, speech = study_dir / "text", study_dir / "speech"
    pairs = read_jsonl(text / "pairs.jsonl") if (text / "pairs.jsonl").exists() else []
    first_pairs = {}
    for pair in pairs:
        first_pairs.setdefault(pair["UID"], pair)
    return {
        "story": _first_row(text / "stories.jsonl"),
        "pairs": list(first_pairs.values()),
        "cloze": _first_row(text / "cloze.jsonl"),
        "clips": _clips(speech),
    }


def _clips(speech: pathlib.Path) -> list[Clip]:
    rows = []
    story = _first_row(speech / "stories/manifest.jsonl")
    if story:
        rows.append(("A story", speech / "stories", story))
    if (speech / "pairs/manifest.jsonl").exists():
        candidates = read_jsonl(speech / "pairs/manifest.jsonl")
        same = [row for row in candidates if all(row[k] == candidates[0][k] for k in ("group", "voice"))]
        for row in sorted(same, key=lambda row: not row["correct"]):
            phenomenon = numbers.words(row["phenomenon"])
            title = f"{phenomenon}, the {'good' if row['correct'] else 'bad'} candidate"
            rows.append((title, speech / "pairs", row))
    return read_clips(rows)


def _first_row(path: pathlib.Path) -> dict | None:
    """The first row of a JSONL file that may be large, or None when there is no file."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return json.loads(line) if line.strip() else None
