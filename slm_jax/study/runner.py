"""A study, stage by stage; every stage that is done is found done, so that running it again goes on."""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import time
from collections.abc import Iterator

import jax

from slm_jax import scaling
from slm_jax.cores import keep_freed_memory
from slm_jax.errors import InputError
from slm_jax.files import is_empty, read_json, write_json
from slm_jax.model import make_mesh, share_cpu_among_devices
from slm_jax.study.claims import write_claims
from slm_jax.study.config import StudyConfig, parse_study
from slm_jax.study.folder import LAWS, PLAN, RESULTS, StudyFolder
from slm_jax.study.grid import PlannedRun, plan_grid
from slm_jax.study.jobs import Jobs
from slm_jax.study.making import RunMaker
from slm_jax.study.preparation import Preparation
from slm_jax.study.provenance import provenance
from slm_jax.study.report import write_report
from slm_jax.study.results import read_curves, write_results
from slm_jax.study.status import format_progress
from slm_jax.study.tables import run_tables
from slm_jax.study.workers import work_at_once, workers_for
from slm_jax.training import check_batch, differences

DECIDES_DATA = ("seed", "fit_on")  # beside the corpora, tokens and tasks that are there already
NAMED_DATA = ("corpora", "tokens", "tasks")


def run_study(config, study_dir: str | os.PathLike, *, at_once: int | None = None) -> pathlib.Path:
    """Runs a study from text to report, or from tables to report; returns the report's path.

    `config` is a ConfigDict or mapping with the fields of StudyConfig, or of TablesConfig (`tables`). A stage
    or run that is done is not done again. `at_once` runs are trained at the same time, each on its share of
    the devices (None: as many as the machine has cores and memory for, and one with accelerators). Raises
    InputError for a bad config, or a folder that holds another study.
    """
    if "tables" in config:
        return run_tables(config, study_dir)
    study = Study(parse_study(config), study_dir)
    study.prepare()
    study.train(at_once)
    return study.report()


def open_study(study_dir: str | os.PathLike) -> "Study":
    """The study that a folder holds, with the config it was prepared with."""
    return Study(parse_study(StudyFolder(study_dir).plan()["config"]), study_dir)


class Study:
    """One study in its folder; `prepare`, `train` and `report` are its stages, in order."""

    def __init__(self, config: StudyConfig, study_dir: str | os.PathLike):
        self.config, self.folder = config, StudyFolder(study_dir)

    def prepare(self) -> None:
        """Texts, tokenizers, datasets and the plan of the grid."""
        keep_freed_memory()
        share_cpu_among_devices(self.config.batch_size)
        self._check()
        plan = self._claim()
        preparation = Preparation(self.config, self.folder)
        with self._stage(1, "Writing corpora and tasks"):
            preparation.write()
        with self._stage(2, "Making tokens"):
            preparation.tokenize()
        runs = plan_grid(self.config, preparation.arm_data())
        maker = RunMaker(self.config, self.folder, runs)
        for run in runs:
            if (self.folder.run(run.name) / "summary.json").exists():
                maker.train(run)  # checks that it was made with these settings
        write_json(self.folder.path / PLAN, plan | {"runs": [dataclasses.asdict(run) for run in runs]})

    def train(self, at_once: int | None = None) -> None:
        """Trains and scores the runs of the plan."""
        jobs = self.jobs()
        jobs.forget_failures()
        with self._stage(3, "Training and scoring the grid"):
            todo = [run for run in jobs.runs if not jobs.is_done(run)]
            workers = min(workers_for(self.config, at_once), len(todo))
            if workers > 1:
                work_at_once(jobs, functools.partial(_work_on, self.folder.path), workers)
            elif todo:
                self.work()

    def work(self) -> None:
        """Trains and scores runs of the plan until none is left that no other worker holds."""
        keep_freed_memory()  # in a worker nothing was prepared
        share_cpu_among_devices(self.config.batch_size)
        _keep_compilations(self.folder.path / "compile_cache")
        jobs = self.jobs()
        maker = RunMaker(self.config, self.folder, jobs.runs)
        jobs.work(maker.make, lambda run: print(format_progress(jobs, run), flush=True))

    def report(self) -> pathlib.Path:
        """Laws, figures and the report of the runs that are done."""
        with self._stage(4, "Fitting scaling laws"):
            self._fit()
        with self._stage(5, "Writing the report"):
            return write_report(self.folder.path)

    def jobs(self) -> Jobs:
        runs = [PlannedRun(**run) for run in self.folder.plan()["runs"]]
        if not runs:
            raise InputError(f"{self.folder.path}: the study is not prepared yet; run slm study prepare")
        return Jobs(self.folder, runs, self.config.tasks_of)

    def _fit(self) -> None:
        jobs = self.jobs()
        done = [run for run in jobs.runs if jobs.is_done(run)]
        if len(done) < 2:
            raise InputError(
                f"{self.folder.path}: only {len(done)} runs finished, too few for a study; slm study status "
                "says what became of the others"
            )
        write_results(self.folder, done, self.config)
        curves = read_curves([self.folder.run(run.name) for run in done])
        table = scaling.read_runs(self.folder.path / RESULTS)
        laws = scaling.fit(table, seed=self.config.seed, resamples=self.config.resamples, curves=curves)
        write_json(self.folder.path / LAWS, laws)
        claims = write_claims(self.folder, self.config, done, laws)
        scaling.write_figures(table, laws, self.folder.path / "figures", curves=curves, claims=claims)
        print(scaling.format_summary(laws), flush=True)

    def _check(self) -> None:
        """What can be found out before the work is."""
        mesh = make_mesh(dataclasses.asdict(self.config.mesh))
        for arm in self.config.arms:
            check_batch(self.config.batch_size_of(arm), self.config.context_of(arm), mesh)

    def _claim(self) -> dict:
        """What plan.json is to say, after a check that the folder is free or holds this study's data.

        Other settings may change, and corpora, tokens, tasks and arms may be added: a plan already there is
        only replaced when its finished runs were found to be of these settings.
        """
        path = self.folder.path / PLAN
        config = json.loads(json.dumps(dataclasses.asdict(self.config)))  # as it comes back from the file
        found = read_json(path) if path.exists() else None
        if found:
            changed = _changed_data(found["config"], config)
            if changed:
                raise InputError(
                    f"{path}: this folder holds a study of other data ({', '.join(changed)}); give "
                    "another --workdir, or remove the folder to start over"
                )
        elif not is_empty(self.folder.path):
            raise InputError(f"{self.folder.path}: is not empty and holds no study; give another --workdir")
        plan = {
            "name": self.config.name,
            "title": self.config.title,
            "config": config,
            "runs": [],
            "seed": self.config.seed,
            **provenance(),
        }
        if found:
            plan["started"] = found["started"]
        else:
            write_json(path, plan)
        return plan

    @contextlib.contextmanager
    def _stage(self, number: int, title: str) -> Iterator[None]:
        """Announces a stage and adds to its time; a stage that was killed is not counted."""
        print(f"[{number}/5] {title}", flush=True)
        started, path = time.monotonic(), self.folder.path / "timings.json"
        try:
            yield
        finally:
            timings = read_json(path) if path.exists() else {}
            timings[title] = round(timings.get(title, 0.0) + time.monotonic() - started, 1)
            write_json(path, timings)


def _work_on(study_dir: pathlib.Path) -> None:
    open_study(study_dir).work()


def _changed_data(before: dict, now: dict) -> list[str]:
    """What would make data that are there already other data."""
    changed = differences(
        {name: before.get(name) for name in DECIDES_DATA}, {name: now[name] for name in DECIDES_DATA}
    )
    for room in NAMED_DATA:
        both = before.get(room, {}).keys() & now[room].keys()
        changed += differences(
            {name: before[room][name] for name in both}, {name: now[room][name] for name in both}, f"{room}."
        )
    return changed


def _keep_compilations(compile_cache: pathlib.Path) -> None:
    """Runs of one size are compiled once, over restarts too."""
    jax.config.update("jax_compilation_cache_dir", os.fspath(compile_cache.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
