"""One run of a study: trained as the plan says, and scored on every task of its arm."""

import dataclasses
import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from slm_jax.evaluation import evaluate, evaluate_loss, open_run, write_result
from slm_jax.files import write_json
from slm_jax.model import make_mesh
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import LOSS, SUMMARY, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.trunks import as_begun, is_begun, trunk_of
from slm_jax.training import TrainConfig, train

SHAPES_KEPT = 8  # of models, with their compiled programs: tens of MB and more each


class RunMaker:
    """Trains and scores the runs of a plan."""

    def __init__(self, config: StudyConfig, folder: StudyFolder, runs: list[PlannedRun]):
        self.config, self.folder, self.runs = config, folder, runs
        self._shapes: set[tuple[str, str]] = set()

    def make(self, run: PlannedRun) -> None:
        started, was_trained = time.monotonic(), self._is_trained(run.name)
        self._make_room(run)
        self.train(run)
        self.score(run)
        if jax.process_index() == 0 and not was_trained:
            write_json(self.folder.times(run.name), {"seconds": round(time.monotonic() - started, 1)})

    def as_made(self) -> list[PlannedRun]:
        """The runs, of which those that are made without the trunk they are planned with have none.

        Raises InputError for a run that was trained with other settings.
        """
        return [self._as_made(run) for run in self.runs]

    def train(self, run: PlannedRun) -> None:
        """Also of a run that is trained: then it is only checked that it was with these settings."""
        train(self._config(run), self.folder.run(run.name))

    def score(self, run: PlannedRun) -> None:
        tokens = self.config.arms[run.arm].tokens
        tasks = (LOSS, *self.config.tasks_of(run.arm))
        missing_T = np.array([not self.folder.score(run.name, task).exists() for task in tasks])
        # What the first process finds: the others may see the same folder a little later.
        missing_T = multihost_utils.broadcast_one_to_all(missing_T)
        missing = [task for task, is_missing in zip(tasks, missing_T, strict=True) if is_missing]
        if not missing:
            return
        opened = open_run(self.folder.run(run.name), make_mesh(dataclasses.asdict(self.config.mesh)))
        for task in missing:
            if task == LOSS:
                corpus = self.config.arms[run.arm].corpus
                result = evaluate_loss(opened, self.folder.dataset(tokens, corpus))
            else:
                result = evaluate(opened, self.folder.dataset(tokens, task), task=task, items=True)
            write_result(result, self.folder.score(run.name, task))

    def _make_room(self, run: PlannedRun) -> None:
        """Forgets compiled programs before they fill the memory; the cache on disk keeps them."""
        shape = (run.arm, run.size)
        if shape not in self._shapes and len(self._shapes) == SHAPES_KEPT:
            jax.clear_caches()
            self._shapes.clear()
        self._shapes.add(shape)

    def _as_made(self, run: PlannedRun) -> PlannedRun:
        if self._is_trained(run.name):
            self.train(run)
        if is_begun(self.folder, run):
            return as_begun(self.folder, run)
        if not self._is_trained(run.trunk) or trunk_of(self.folder, run):
            return run
        return dataclasses.replace(run, trunk="", shared_steps=0)

    def _is_trained(self, name: str) -> bool:
        return (self.folder.run(name) / SUMMARY).exists()

    def _config(self, run: PlannedRun) -> TrainConfig:
        arm = self.config.arms[run.arm]
        config = self.config.run(
            run.arm,
            name=run.name,
            size=run.size,
            tokens=run.tokens,
            seed=run.seed,
            data=[str(self.folder.dataset(arm.tokens, corpus)) for corpus in arm.corpora],
        )
        branches = tuple(sorted({other.tokens for other in self.runs if other.trunk == run.name}))
        return dataclasses.replace(config, branch_tokens=branches, trunk=trunk_of(self.folder, run))
