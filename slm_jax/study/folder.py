"""Where the parts of a study lie in its folder."""

import os
import pathlib

from slm_jax.errors import InputError
from slm_jax.files import read_json

PLAN, RESULTS, LAWS, CLAIMS = "plan.json", "results.csv", "laws.json", "claims.json"
SUMMARY = "summary.json"  # of a run that is trained
LOSS = "loss"  # the held-out loss beside the tasks of a run


class StudyFolder:
    """The folder of a study; docs/study.md has its contents."""

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)

    def corpus(self, name: str) -> pathlib.Path:
        return self.path / "corpora" / name

    def task(self, name: str) -> pathlib.Path:
        return self.path / "tasks" / name

    def tokenizer(self, tokens: str) -> pathlib.Path:
        return self.path / "tokens" / tokens

    def dataset(self, tokens: str, source: str) -> pathlib.Path:
        """Of a corpus or a task (`source`)."""
        return self.path / "data" / tokens / source

    def run(self, name: str) -> pathlib.Path:
        return self.path / "runs" / name

    def checkpoint(self, run: str, step: int) -> pathlib.Path:
        return self.run(run) / "checkpoints" / str(step)

    def speed(self, run: str) -> float | None:
        """Tokens a second of a run that is trained; None where its metrics were lost."""
        return read_json(self.run(run) / SUMMARY)["tokens_per_second"]

    def score(self, run: str, task: str) -> pathlib.Path:
        """Accuracy on a task as `slm evaluate` writes it, or the held-out loss (LOSS)."""
        return self.run(run) / f"{task}.json"

    def times(self, run: str) -> pathlib.Path:
        """How long the run took to train and score, from when the worker that ended its training took it."""
        return self.run(run) / "times.json"

    def failure(self, run: str) -> pathlib.Path:
        """Why a run failed, if it did."""
        return self.path / "failed" / f"{run}.json"

    def plan(self) -> dict:
        """Raises InputError when the folder holds no study."""
        path = self.path / PLAN
        if not path.exists():
            raise InputError(f"{self.path}: holds no study (it has no {PLAN}); give the --workdir of one")
        return read_json(path)
