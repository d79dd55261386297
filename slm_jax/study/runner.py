"""A study, stage by stage; every stage that is done is found done, so that running it again goes on."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Iterator

import jax

from slm_jax import scaling
from slm_jax.cores import keep_freed_memory
from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.model import make_mesh, share_cpu_among_devices
from slm_jax.study.claims import write_claims
from slm_jax.study.config import StudyConfig, parse_study
from slm_jax.study.examples import write_examples
from slm_jax.study.folder import LAWS, PLAN, RESULTS, StudyFolder
from slm_jax.study.grid import PlannedRun, plan_grid
from slm_jax.study.jobs import Jobs
from slm_jax.study.machine import apart, workers_for
from slm_jax.study.making import RunMaker
from slm_jax.study.ownership import claimed
from slm_jax.study.preparation import Preparation
from slm_jax.study.report import write_report
from slm_jax.study.results import read_curves, write_results
from slm_jax.study.status import format_progress
from slm_jax.study.stopping import stops_on_sigterm
from slm_jax.study.tables import run_tables
from slm_jax.study.workers import work_at_once
from slm_jax.training import check_batch


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
    workers = workers_for(study.config, at_once)
    if workers > 1:  # each is to have its accelerators to itself
        apart(functools.partial(_prepare, study.config, study.folder.path), workers)
    else:
        study.prepare()
    study.train(at_once)
    return study.report()


def open_study(study_dir: str | os.PathLike) -> "Study":
    """The study that a folder holds, with the config it was prepared with."""
    config = StudyFolder(study_dir).plan()["config"]
    if "tables" in config:
        raise InputError(f"{study_dir}: holds a study of tables, which slm study --config=... does at once")
    return Study(parse_study(config), study_dir)


class Study:
    """One study in its folder; `prepare`, `train` and `report` are its stages, in order."""

    def __init__(self, config: StudyConfig, study_dir: str | os.PathLike):
        self.config, self.folder = config, StudyFolder(study_dir)

    def prepare(self) -> None:
        """Texts, tokenizers, datasets and the plan of the grid; what failed before may be tried again."""
        self._set_up()
        self._check()
        with claimed(self.folder, self.config) as plan:
            preparation = Preparation(self.config, self.folder)
            with self._stage(1, "Writing corpora and tasks", goes_on=True):
                preparation.write()
            with self._stage(2, "Making tokens", goes_on=True):
                preparation.tokenize()
            runs = plan_grid(self.config, preparation.arm_data())
            runs = RunMaker(self.config, self.folder, runs).as_made()
            Jobs(self.folder, runs, self.config.tasks_of).forget_failures()
            write_json(self.folder.path / PLAN, plan | {"runs": [dataclasses.asdict(run) for run in runs]})

    def train(self, at_once: int | None = None) -> None:
        """Trains and scores the runs of the plan, `at_once` of them at the same time."""
        with self._stage(3, "Training and scoring the grid", goes_on=True):
            jobs = self.jobs()
            # Not of those left: on how many devices a run is made decides its last digits.
            workers = min(workers_for(self.config, at_once), len(jobs.runs))
            if workers > 1:
                work_at_once(jobs, functools.partial(_work_on, self.folder.path), workers)
            else:
                self.work()

    def work(self) -> None:
        """Trains and scores runs of the plan until none is left that no other worker holds.

        Raises Preempted when SIGTERM asked it to stop, and the run it was at is saved.
        """
        self._set_up()
        _keep_compilations(self.folder.path / "compile_cache")
        jobs = self.jobs()
        maker = RunMaker(self.config, self.folder, jobs.runs)
        with stops_on_sigterm(str(self.folder.path)):
            jobs.work(maker.make, lambda run: print(format_progress(jobs, run), flush=True))

    def report(self) -> pathlib.Path:
        """Laws, figures, examples to hear and the report of the runs that are done."""
        with self._stage(4, "Fitting scaling laws"):
            self._fit()
        with self._stage(5, "Making examples to hear"):
            write_examples(self.folder, self.config, self._done())
        with self._stage(6, "Writing the report"):
            return write_report(self.folder.path)

    def jobs(self) -> Jobs:
        runs = [PlannedRun(**run) for run in self.folder.plan()["runs"]]
        if not runs:
            raise InputError(
                f"{self.folder.path}: the study is not prepared yet; slm study and slm study prepare do "
                "that, or are at it"
            )
        return Jobs(self.folder, runs, self.config.tasks_of)

    def _done(self) -> list[PlannedRun]:
        jobs = self.jobs()
        return [run for run in jobs.runs if jobs.is_done(run)]

    def _fit(self) -> None:
        done = self._done()
        if len(done) < 2:
            raise InputError(
                f"{self.folder.path}: only {len(done)} runs finished, too few for a study; slm study status "
                f"--workdir {self.folder.path} says what became of the others"
            )
        if len(done) < len(self.jobs().runs):
            print(f"{len(done)} of {len(self.jobs().runs)} runs are done; the report is of these", flush=True)
        write_results(self.folder, done, self.config)
        curves = read_curves([self.folder.run(run.name) for run in done])
        table = scaling.read_runs(self.folder.path / RESULTS)
        laws = scaling.fit(
            table,
            seed=self.config.seed,
            resamples=self.config.resamples,
            curves=curves,
            max_epochs=self.config.grid.max_epochs,
        )
        write_json(self.folder.path / LAWS, laws)
        claims = write_claims(self.folder, self.config, done, laws)
        scaling.write_figures(table, laws, self.folder.path / "figures", curves=curves, claims=claims)
        print(scaling.format_summary(laws), flush=True)

    def _check(self) -> None:
        """What can be found out before the work is."""
        mesh = make_mesh(dataclasses.asdict(self.config.mesh))
        for arm in self.config.arms:
            check_batch(self.config.batch_size_of(arm), self.config.context_of(arm), mesh)

    def _set_up(self) -> None:
        """Of JAX and the C library, before either is used."""
        keep_freed_memory()
        if not jax.distributed.is_initialized():
            share_cpu_among_devices(self.config.batch_divisor)

    @contextlib.contextmanager
    def _stage(self, number: int, title: str, *, goes_on: bool = False) -> Iterator[None]:
        """Announces a stage and notes its time: the sum of all calls of one that goes on where it was.

        A call that was killed is not counted.
        """
        print(f"[{number}/6] {title}", flush=True)
        started, path = time.monotonic(), self.folder.path / "timings.json"
        try:
            yield
        finally:
            timings = read_json(path) if path.exists() else {}
            before = timings.get(title, 0.0) if goes_on else 0.0
            timings[title] = round(before + time.monotonic() - started, 1)
            write_json(path, timings)


def _work_on(study_dir: pathlib.Path) -> None:
    open_study(study_dir).work()


def _prepare(config: StudyConfig, study_dir: pathlib.Path) -> None:
    Study(config, study_dir).prepare()


def _keep_compilations(compile_cache: pathlib.Path) -> None:
    """Runs of one size are compiled once, over restarts too."""
    jax.config.update("jax_compilation_cache_dir", os.fspath(compile_cache.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
