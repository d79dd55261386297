"""The runs of a study, and what they cost in compute, time and disk."""

import dataclasses
import functools
import os
from collections.abc import Sequence

from slm_jax.cores import available_cores
from slm_jax.errors import InputError
from slm_jax.study.config import StudyConfig, parse_study
from slm_jax.study.estimate.data import StudyData, study_data
from slm_jax.study.estimate.speed import Speed, speed_here, speed_of_runs
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun, plan_grid
from slm_jax.study.machine import apart, workers_for
from slm_jax.study.ownership import check_owner

# Measured on the runs of small studies.
STATE_BYTES = 12  # a parameter in a checkpoint: itself and AdamW's two moments
CHECKPOINT_BYTES, RUN_BYTES, QUESTION_BYTES = 65_000, 8_000, 600  # beside the parameters
ROW_BYTES = 800  # of metrics, in two formats
PROGRAMS_BYTES = 500_000  # of the compile cache: to train and score models of one shape
SCORING_SHARE = 1 / 3  # of the products of an update: a token is only read forwards
PROGRAMS_TO_SCORE = 3  # as small as one that updates, all together
CANDIDATES_A_QUESTION = 2


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a study costs.

    Attributes:
      config, data, speed: what it is reckoned from.
      runs: of the grid, and how many `workers` train at the same time.
      flops: of all updates; `saved_flops` are those that trunks spare.
      prepare_seconds: to speak and encode; training_seconds: to compile, train and score.
      disk: bytes by what they are of.
    """

    config: StudyConfig
    data: StudyData
    speed: Speed
    runs: list[PlannedRun]
    workers: int
    flops: float
    saved_flops: float
    prepare_seconds: float
    training_seconds: float
    disk: dict[str, float]

    def epochs(self, run: PlannedRun) -> float:
        return run.tokens / self.data.arms[run.arm].stream_tokens


def estimate_study(
    config, study_dir: str | os.PathLike | None = None, *, at_once: int | None = None
) -> Estimate:
    """What a study will cost, without running it: a minute or so of work, most of it to compile.

    `config` is as for `run_study`. The data are counted in `study_dir` where they are prepared there, and
    sampled else; speeds are those of its finished runs, or of a few updates made now. Raises InputError for
    a bad config, a grid without runs, data that no sample can stand for, and a folder of another study.
    """
    for field, what in (
        ("tables", "a study of tables trains nothing"),
        ("data", "this is the config of a run"),
    ):
        if field in config:
            raise InputError(f"config.{field}: {what}; give the config of a study with arms")
    config = parse_study(config)
    workers = workers_for(config, at_once)
    folder = None if study_dir is None else StudyFolder(study_dir)
    if folder:
        check_owner(folder, config)
    data = apart(functools.partial(study_data, config, folder), workers)
    runs = plan_grid(config, data.arms)
    speed = None if folder is None else speed_of_runs(folder, runs)
    speed = speed or speed_here(config, runs, data, workers)
    return Estimate(
        config,
        data,
        speed,
        runs,
        workers,
        flops=sum(run.own_flops for run in runs),
        saved_flops=sum(run.flops - run.own_flops for run in runs),
        prepare_seconds=_prepare_seconds(config, data),
        training_seconds=_training_seconds(config, data, speed, runs, workers),
        disk=_disk(config, data, speed, runs),
    )


def _prepare_seconds(config: StudyConfig, data: StudyData) -> float:
    """Of all cores; fitting centroids is taken to last as long as encoding their sample twice."""
    seconds = 0.0
    for (tokens, source), size in data.datasets.items():
        rate = data.encode_seconds.get(tokens, 0.0)
        seconds += rate * size.seconds
        if source == config.fitted_on:
            seconds += 2 * rate * min(size.seconds, config.tokens[tokens].get("sample_seconds", 0.0))
    return seconds / available_cores()


def _training_seconds(
    config: StudyConfig, data: StudyData, speed: Speed, runs: Sequence[PlannedRun], workers: int
) -> float:
    """A worker's share of all runs, and no less than the longest run after its trunk takes."""
    run_seconds = {
        run.name: speed.seconds(run.tokens * (1 - run.shared_steps / run.steps), run.params)
        + _seconds_beside(config, data, speed, run)
        for run in runs
    }
    longest = max(run_seconds[run.name] + run_seconds.get(run.trunk, 0.0) for run in runs)
    compiling = speed.compile_seconds * (1 + PROGRAMS_TO_SCORE * SCORING_SHARE)
    total = sum(run_seconds.values()) + compiling * len(_shapes(config, runs))
    return max(total / workers, longest)


def _seconds_beside(config: StudyConfig, data: StudyData, speed: Speed, run: PlannedRun) -> float:
    """What finished runs took beside their updates, or else what scoring takes."""
    if speed.beside is not None:
        return speed.beside
    return SCORING_SHARE * speed.seconds(_scored_tokens(config, data, run.arm), run.params)


def _scored_tokens(config: StudyConfig, data: StudyData, arm: str) -> float:
    """Of all tasks, and of the held-out part of the corpus: as much of it as of those mixed in."""
    names = config.arms[arm]
    first, *also = (data.datasets[names.tokens, corpus] for corpus in names.corpora)
    whole = sum(size.tokens + size.records for size in (first, *also))
    held_out = max(0.0, 1 - data.arms[arm].stream_tokens / whole) * (first.tokens + first.records)
    return held_out + sum(data.datasets[names.tokens, task].tokens for task in config.tasks_of(arm))


def _shapes(config: StudyConfig, runs: Sequence[PlannedRun]) -> set[tuple]:
    """Models that share their programs are of one size, vocabulary, context and batch."""
    return {(run.params, run.size, config.context_of(run.arm), config.batch_size_of(run.arm)) for run in runs}


def _disk(config: StudyConfig, data: StudyData, speed: Speed, runs: Sequence[PlannedRun]) -> dict[str, float]:
    branches = {run.name: len({other.tokens for other in runs if other.trunk == run.name}) for run in runs}
    checkpoints = sum(
        (1 + branches[run.name]) * (STATE_BYTES * run.params + CHECKPOINT_BYTES) for run in runs
    )
    questions = sum(
        data.datasets[config.arms[run.arm].tokens, task].records / CANDIDATES_A_QUESTION
        for run in runs
        for task in config.tasks_of(run.arm)
    )
    rows = sum((run.steps - run.shared_steps) / config.log_every for run in runs)
    return {
        "texts": float(data.text_bytes),
        "datasets": sum(size.bytes for size in data.datasets.values()),
        "checkpoints": checkpoints,
        "scores and logs": RUN_BYTES * len(runs) + ROW_BYTES * rows + QUESTION_BYTES * questions,
        "compiled programs": max(PROGRAMS_BYTES, speed.compile_bytes) * len(_shapes(config, runs)),
    }
