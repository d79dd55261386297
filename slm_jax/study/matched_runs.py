"""Runs of two arms at equal compute: what was trained in both, and the questions that both were asked."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from slm_jax.evaluation import pair_scores
from slm_jax.files import read_json
from slm_jax.study.folder import LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun


@dataclasses.dataclass(frozen=True)
class Match:
    """A run of either arm, of the same size, budget and seed."""

    better: PlannedRun
    other: PlannedRun

    @property
    def cell(self) -> dict:
        return {"size": self.better.size, "budget": self.better.budget, "seed": self.better.seed}


def match_runs(runs: Sequence[PlannedRun], arms: Sequence[str]) -> list[Match]:
    """By budget, size and seed, whatever the order of `runs`."""
    of_arm = {arm: {(run.budget, run.size, run.seed): run for run in runs if run.arm == arm} for arm in arms}
    better, other = (of_arm[arm] for arm in arms)
    found = [Match(better[key], other[key]) for key in better.keys() & other.keys()]
    return sorted(found, key=lambda match: (match.better.budget, match.better.params, match.better.seed))


def accuracies(folder: StudyFolder, matches: Sequence[Match], task: str) -> tuple[np.ndarray, np.ndarray]:
    """score_2xKxP, of the better arm and the other, and phenomenon_P, of the pairs that all were asked.

    A pair's score is its mean over voices: over the same ones where the arms share any. No pair may be left.
    """
    points = [
        [_points(folder, run, task) for run in arm_runs]
        for arm_runs in zip(*((match.better, match.other) for match in matches), strict=True)
    ]
    voices = [{voice for _, _, voice in arm_points[0]} for arm_points in points]
    if not voices[0] & voices[1]:
        points = [[_over_voices(found) for found in arm_points] for arm_points in points]
    shared = sorted(set.intersection(*(set(found) for arm_points in points for found in arm_points)))
    if not shared:
        return np.empty((2, len(matches), 0)), np.empty(0, str)
    keys = [(phenomenon, group) for phenomenon, group, _ in shared]
    scores = [
        [pair_scores(keys, np.array([found[question] for question in shared])) for found in arm_points]
        for arm_points in points
    ]
    return np.array([[pairs.score_P for pairs in arm] for arm in scores]), scores[0][0].phenomenon_P


def losses(folder: StudyFolder, matches: Sequence[Match], unit: str) -> np.ndarray:
    """loss_2xK of the better arm and the other, `unit` being "nats_per_token" or "nats_per_second".

    NaN where it is not known.
    """
    return np.array(
        [
            [read_json(folder.score(run.name, LOSS))["loss"]["total"][unit] for run in (m.better, m.other)]
            for m in matches
        ],
        dtype=float,
    ).T


def _points(folder: StudyFolder, run: PlannedRun, task: str) -> dict[tuple[str, str, str], float]:
    items = read_json(folder.score(run.name, task))["items"]
    return {(item["phenomenon"], item["group"], item["voice"]): item["points"] for item in items}


def _over_voices(points: dict[tuple[str, str, str], float]) -> dict[tuple[str, str, str], float]:
    pairs = defaultdict(list)
    for (phenomenon, group, _), value in points.items():
        pairs[phenomenon, group, ""].append(value)
    return {key: float(np.mean(values)) for key, values in pairs.items()}
