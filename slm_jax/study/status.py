"""What has become of the runs of a study, and how long the rest will take."""

import dataclasses
import json
from collections import Counter

import numpy as np

from slm_jax.files import read_json
from slm_jax.study.folder import SUMMARY, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.jobs import Jobs, work_of
from slm_jax.study.trunks import as_begun

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """A run as it is begun, the `share` of its own updates that are made, and why it failed."""

    run: PlannedRun
    state: str
    share: float
    reason: str = ""


def study_status(jobs: Jobs) -> list[RunStatus]:
    """The state of every run of a plan, in its order."""
    return [_status(jobs, run) for run in jobs.runs]


def minutes_left(jobs: Jobs, statuses: list[RunStatus], between_runs: int = 0) -> float | None:
    """At the speed of the runs that are done, by the workers at work now; None before one is done.

    A run takes what its updates take, and for compiling and scoring as long as most did. `between_runs`
    workers have just ended one.
    """
    done = [status.run for status in statuses if status.state == DONE and jobs.folder.speed(status.run.name)]
    if not done:
        return None
    speed = sum(_update_seconds(jobs.folder, run) for run in done) / sum(map(work_of, done))
    beside = _seconds_beside(jobs.folder, done)
    left = [
        speed * work_of(status.run) * (1 - status.share) + beside
        for status in statuses
        if status.state in (RUNNING, WAITING)
    ]
    workers = max(1, between_runs + sum(status.state == RUNNING for status in statuses))
    return max(sum(left) / workers, max(left, default=0.0)) / 60


def format_status(jobs: Jobs) -> str:
    """A line a run, and the sum."""
    statuses = study_status(jobs)
    width = max(len(status.run.name) for status in statuses)
    lines = [
        f"{status.run.name:<{width}}  {status.state:<8}{status.share:5.0%}"
        + (f"  {status.reason}" if status.reason else "")
        for status in statuses
    ]
    return "\n".join([*lines, _summary(jobs, statuses)])


def format_progress(jobs: Jobs, run: PlannedRun) -> str:
    """What to say when a run has ended."""
    status = _status(jobs, run)
    if status.state == FAILED:
        return f"  {run.name} failed: {status.reason}"
    summary = read_json(jobs.folder.run(run.name) / SUMMARY)
    loss = summary["validation_loss"]
    scores = []
    for task in jobs.tasks_of(run):
        macro = read_json(jobs.folder.score(run.name, task))["accuracy"]["macro"]
        scores.append(f"{task.replace('_', ' ')} {macro['value']:.3f}")
    words = ", ".join([*([] if loss is None else [f"loss {loss:.3f}"]), *scores])
    return f"  {run.name}: {words}; {_summary(jobs, study_status(jobs), between_runs=1)}"


def _summary(jobs: Jobs, statuses: list[RunStatus], between_runs: int = 0) -> str:
    counts = Counter(status.state for status in statuses)
    words = [f"{counts[DONE]} of {len(statuses)} runs done"]
    words += [f"{counts[state]} {state}" for state in (RUNNING, WAITING, FAILED) if counts[state]]
    minutes = minutes_left(jobs, statuses, between_runs)
    if minutes is not None and counts[DONE] + counts[FAILED] < len(statuses):
        words.append(f"about {max(minutes, 1):.0f} min left")
    return ", ".join(words)


def _status(jobs: Jobs, run: PlannedRun) -> RunStatus:
    run = as_begun(jobs.folder, run)
    if jobs.is_done(run):
        return RunStatus(run, DONE, 1.0)
    share = share_made(jobs.folder, run)
    if jobs.is_failed(run):
        return RunStatus(run, FAILED, share, read_json(jobs.folder.failure(run.name))["reason"])
    return RunStatus(run, RUNNING if jobs.is_held(run) else WAITING, share)


def share_made(folder: StudyFolder, run: PlannedRun) -> float:
    """Of the run's own updates."""
    path = folder.run(run.name) / "metrics.jsonl"
    # What follows the last line's end is still being written, or was when a worker was killed.
    *lines, _ = path.read_text(encoding="utf-8").split("\n") if path.exists() else ("",)
    if not lines:
        return 0.0
    own_steps = json.loads(lines[-1])["step"] - run.shared_steps
    return min(1.0, max(0.0, own_steps / (run.steps - run.shared_steps)))


def _update_seconds(folder: StudyFolder, run: PlannedRun) -> float:
    """What the updates of a run took."""
    return run.tokens * (1 - run.shared_steps / run.steps) / folder.speed(run.name)


def _seconds_beside(folder: StudyFolder, done: list[PlannedRun]) -> float:
    """What most runs took beside their updates; 0 where none has noted its time."""
    beside = [
        max(0.0, read_json(folder.times(run.name))["seconds"] - _update_seconds(folder, run))
        for run in done
        if folder.times(run.name).exists()
    ]
    return float(np.median(beside)) if beside else 0.0
