"""One run of a study: trained as the plan says, and scored on every task of its arm."""

import dataclasses

from slm_jax.evaluation import evaluate, evaluate_loss, open_run, write_result
from slm_jax.model import make_mesh
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.training import TrainConfig, saved_steps, train


class RunMaker:
    """Trains and scores the runs of a plan."""

    def __init__(self, config: StudyConfig, folder: StudyFolder, runs: list[PlannedRun]):
        self.config, self.folder, self.runs = config, folder, runs

    def make(self, run: PlannedRun) -> None:
        self.train(run)
        self.score(run)

    def train(self, run: PlannedRun) -> None:
        """Also of a run that is trained: then it is only checked that it was with these settings."""
        train(self._config(run), self.folder.run(run.name))

    def score(self, run: PlannedRun) -> None:
        tokens = self.config.arms[run.arm].tokens
        missing = [
            task
            for task in (LOSS, *self.config.tasks_of(run.arm))
            if not self.folder.score(run.name, task).exists()
        ]
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

    def _config(self, run: PlannedRun) -> TrainConfig:
        config = self.config.run(
            run.arm,
            name=run.name,
            size=run.size,
            tokens=run.tokens,
            seed=run.seed,
            data=str(self.folder.dataset(self.config.arms[run.arm].tokens, self.config.arms[run.arm].corpus)),
        )
        branches = tuple(sorted({other.tokens for other in self.runs if other.trunk == run.name}))
        return dataclasses.replace(config, branch_tokens=branches, trunk=self._trunk(run))

    def _trunk(self, run: PlannedRun) -> str:
        """The folder of the trunk; none where it failed, or was trained before this branch was planned."""
        if not run.trunk or run.shared_steps not in saved_steps(self.folder.run(run.trunk)):
            return ""
        return str(self.folder.run(run.trunk))
