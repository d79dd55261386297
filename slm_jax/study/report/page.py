"""The page: everything the templates show, and the file they become."""

import json
import os
import pathlib

import jinja2

from slm_jax.files import atomic_path, read_json
from slm_jax.scaling import read_runs
from slm_jax.study.folder import CLAIMS, LAWS, PLAN, RESULTS
from slm_jax.study.report import numbers
from slm_jax.study.report.arms import describe_arms
from slm_jax.study.report.best import best_of_group
from slm_jax.study.report.budgets import most_teaching, next_budgets
from slm_jax.study.report.claims import describe_claims
from slm_jax.study.report.datasets import hours_of_speech, read_datasets, read_tokenizers
from slm_jax.study.report.laws import claims_by_group, describe_comparisons, describe_group, merged
from slm_jax.study.report.media import read_clips, read_figures
from slm_jax.study.report.runs import compute_spent, read_failures, run_rows
from slm_jax.study.report.texts import read_corpora, read_pairs

REPORT = "report.html"
TEMPLATE = "page.html"
OPTIONAL_PLAN = dict.fromkeys(("seed", "command", "commit", "machine", "started")) | {
    "config": {},
    "versions": {},
    "runs": [],
}
SIDE_BY_SIDE = 2  # groups that are shown in full; more are shown as tables, with the rest folded away


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
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(numbers, name) for name in numbers.__all__}
    return environment


def _content(study_dir: pathlib.Path) -> dict:
    """Everything the templates show."""
    plan = OPTIONAL_PLAN | read_json(study_dir / PLAN)
    laws = read_json(study_dir / LAWS)
    table = read_runs(study_dir / RESULTS)
    members = table.groups()
    runs = run_rows(study_dir, members, plan["runs"])
    datasets = read_datasets(study_dir / "data")
    budgets = next_budgets(laws, members)
    claims = _optional(study_dir / CLAIMS, [])
    groups = [describe_group(name, group) for name, group in laws["groups"].items()]
    failed = read_failures(study_dir / "failed")
    done = {run["name"] for run in runs} & {run["name"] for run in plan["runs"]}
    return {
        "plan": plan,
        "config": json.dumps(plan["config"], indent=2, ensure_ascii=False),
        "confidence": laws["confidence"],
        "resamples": laws["resamples"],
        "claims": describe_claims(claims, plan["runs"], done),
        "done": len(done),
        "groups": groups,
        "many": len(groups) > SIDE_BY_SIDE,
        "claims_by_group": claims_by_group(groups),
        "comparisons": describe_comparisons(laws),
        "cautions": merged({group["name"]: group["warnings"] for group in groups}),
        "absent": merged({group["name"]: list(group["absent"].items()) for group in groups}),
        "published": _optional(study_dir / "published.json", None),
        "figures": read_figures(study_dir / "figures", list(members), claims),
        "budgets": budgets,
        "max_epochs": laws["max_epochs"],
        "next_run": most_teaching(budgets),
        "arms": describe_arms(plan, runs, datasets),
        "tasks": list(table.tasks),
        "runs": runs,
        "failed": failed,
        "spent": compute_spent(plan["runs"], runs),
        "bests": [best for name in members if (best := best_of_group(study_dir, name, runs))],
        "datasets": datasets,
        "hours": hours_of_speech(datasets),
        "tokenizers": read_tokenizers(study_dir / "tokens"),
        "listening": read_clips(study_dir / "examples"),
        "texts": read_corpora(study_dir / "corpora"),
        "pairs": read_pairs(study_dir / "tasks"),
        "timings": _optional(study_dir / "timings.json", {}),
    }


def _optional(path: pathlib.Path, default):
    return read_json(path) if path.exists() else default
