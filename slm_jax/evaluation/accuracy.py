"""From candidate scores to accuracy: questions, pairs, phenomena. Plain numpy."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from slm_jax.corpora import check_question
from slm_jax.data import Candidate
from slm_jax.errors import InputError

# Scores closer than float32 rounding cannot be told apart.
TIE_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Question:
    """One pair in one voice: where its good and its bad candidates are in the list of candidates."""

    phenomenon: str
    group: str
    voice: str
    good: int
    bad: tuple[int, ...]

    @property
    def pair(self) -> tuple[str, str]:
        return self.phenomenon, self.group


@dataclasses.dataclass(frozen=True)
class PairScores:
    """One score a pair (its mean over voices), sorted by phenomenon and group."""

    phenomenon_P: np.ndarray
    group_P: np.ndarray
    score_P: np.ndarray
    questions_P: np.ndarray


def pose_questions(candidates: Sequence[Candidate]) -> list[Question]:
    """Joins candidates into questions, sorted by (phenomenon, group, voice).

    Raises InputError when there are none, or when a question lacks exactly one good and at least one bad.
    """
    if not candidates:
        raise InputError("no pairs to evaluate: the pairs dataset is empty")
    members: dict[tuple[str, str, str], tuple[list[int], list[int]]] = {}
    for index, candidate in enumerate(candidates):
        key = (candidate.phenomenon, candidate.group, candidate.voice)
        members.setdefault(key, ([], []))[0 if candidate.correct else 1].append(index)
    for (phenomenon, group, voice), (good, bad) in members.items():
        check_question(
            phenomenon,
            group,
            voice,
            good=len(good),
            bad=len(bad),
            fix="encode the pairs again",
        )
    return [Question(*key, good[0], tuple(bad)) for key, (good, bad) in sorted(members.items())]


def grade(questions: Sequence[Question], score_C: np.ndarray) -> np.ndarray:
    """points_Q: 1 where the good candidate scores above every bad one, 1/2 where it ties, else 0."""
    best_bad_Q = np.array([score_C[list(question.bad)].max() for question in questions])
    good_Q = score_C[[question.good for question in questions]]
    is_tie_Q = np.isclose(good_Q, best_bad_Q, rtol=TIE_TOLERANCE, atol=TIE_TOLERANCE)
    return np.where(is_tie_Q, 0.5, (good_Q > best_bad_Q).astype(float))


def pair_scores(keys: Sequence[tuple[str, str]], points_Q: np.ndarray) -> PairScores:
    """A pair's score is the mean of its points over voices; `keys` are the questions' (phenomenon, group)."""
    pairs = sorted(set(keys))
    place = {pair: index for index, pair in enumerate(pairs)}
    pair_Q = np.array([place[key] for key in keys])
    questions_P = np.bincount(pair_Q, minlength=len(pairs))
    phenomenon_P, group_P = np.array(pairs).T
    return PairScores(phenomenon_P, group_P, np.bincount(pair_Q, weights=points_Q) / questions_P, questions_P)
