"""A study of runs that are there already: tables in, laws, figures and report out."""

import dataclasses
import json
import os
import pathlib

import ml_collections

from slm_jax import scaling
from slm_jax.errors import InputError
from slm_jax.files import is_empty, read_json, write_json
from slm_jax.study.provenance import provenance
from slm_jax.study.report import write_report
from slm_jax.training import defaults_of, parse_dataclass


@dataclasses.dataclass(frozen=True)
class TablesConfig:
    """`tables` are names of published tables or CSV files (docs/scaling.md); their rows become one table.

    `beside_paper`: also fits the published tables as Cuervo & Marxer (2024) did, and in other ways.
    """

    name: str = "tables"
    title: str = "Scaling laws of given runs"
    seed: int = 0
    resamples: int = 1000
    tables: tuple[str, ...] = ()
    beside_paper: bool = False

    def __post_init__(self):
        if not self.tables:
            published = ", ".join(scaling.PUBLISHED_TABLES)
            raise InputError(f"config.tables is empty: name CSV files or published tables ({published})")
        if not self.resamples > 0:
            raise InputError(f"config.resamples is {self.resamples}: it must be positive")


def default_tables() -> ml_collections.ConfigDict:
    """All fields with their defaults, for the config file of a study of tables to change."""
    return ml_collections.ConfigDict(defaults_of(TablesConfig))


def run_tables(config, study_dir: str | os.PathLike) -> pathlib.Path:
    """Fits, draws and reports the tables of a config; returns the report's path.

    Everything takes seconds and is done again by every call. Raises InputError for a bad config or table, and
    for a folder that holds something else.
    """
    config, folder = parse_dataclass(TablesConfig, config), pathlib.Path(study_dir)
    _check(folder)
    print("[1/3] Reading the tables", flush=True)
    names = scaling.PUBLISHED_TABLES
    tables = [scaling.published_table(table) if table in names else table for table in config.tables]
    scaling.merge_tables(tables, folder / "results.csv")
    runs = scaling.read_runs(folder / "results.csv")
    plan = {"name": config.name, "title": config.title, "seed": config.seed, "runs": []}
    plan["config"] = json.loads(json.dumps(dataclasses.asdict(config)))
    write_json(folder / "plan.json", plan | provenance())
    print("[2/3] Fitting scaling laws", flush=True)
    laws = scaling.fit(runs, seed=config.seed, resamples=config.resamples)
    write_json(folder / "laws.json", laws)
    print(scaling.format_summary(laws), flush=True)
    print("[3/3] Drawing figures and writing the report", flush=True)
    scaling.write_figures(runs, laws, folder / "figures")
    if config.beside_paper:
        write_json(folder / "published.json", scaling.beside_paper(config.resamples, config.seed))
        speech, law = scaling.published_runs("speech"), scaling.PUBLISHED_SPEECH_LAW
        scaling.write_contours(speech, law, folder / "figures", "loss_law_published", speech.loss_source[0])
    return write_report(folder)


def _check(folder: pathlib.Path) -> None:
    """Raises InputError unless the folder is free or holds a study of tables."""
    path = folder / "plan.json"
    if path.exists():
        if "tables" not in read_json(path).get("config", {}):
            raise InputError(f"{path}: this folder holds another kind of study; give another --workdir")
    elif not is_empty(folder):
        raise InputError(f"{folder}: is not empty and holds no study; give another --workdir")
