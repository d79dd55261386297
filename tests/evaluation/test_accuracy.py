"""Points, pairs and phenomena against a brute-force count."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.data import Candidate
from slm_jax.errors import InputError
from slm_jax.evaluation import grade, pair_scores, pose_questions, summarize

NO_UNITS = np.zeros(0, np.uint16)


@st.composite
def graded(draw):
    """Candidates with few distinct scores, so that ties are common; phenomena share group names."""
    candidates, scores = [], []
    for phenomenon, group in itertools.product("ab", range(draw(st.integers(1, 4)))):
        for voice in range(draw(st.integers(1, 3))):
            for index in range(1 + draw(st.integers(1, 2))):
                name = f"{phenomenon}{group}{voice}{index}"
                candidates.append(Candidate(name, str(group), phenomenon, str(voice), index == 0, NO_UNITS))
                scores.append(draw(st.sampled_from([-3.0, -2.0, -1.0])))
    return candidates, np.array(scores)


def brute_force(candidates, scores):
    """Macro and micro accuracy as one would count them by hand."""
    by_pair = collections.defaultdict(lambda: collections.defaultdict(list))
    for candidate, score in zip(candidates, scores, strict=True):
        pair = by_pair[candidate.phenomenon, candidate.group]
        pair[candidate.voice].append((candidate.correct, score))
    by_phenomenon = collections.defaultdict(list)
    for (phenomenon, _), voices in by_pair.items():
        points = []
        for members in voices.values():
            good = next(score for correct, score in members if correct)
            bad = [score for correct, score in members if not correct]
            points.append(1 if all(good > b for b in bad) else 0 if any(good < b for b in bad) else 0.5)
        by_phenomenon[phenomenon].append(sum(points) / len(points))
    every = [score for pairs in by_phenomenon.values() for score in pairs]
    return np.mean([np.mean(pairs) for pairs in by_phenomenon.values()]), np.mean(every)


def accuracy(candidates, scores) -> dict:
    questions = pose_questions(candidates)
    pairs = [question.pair for question in questions]
    return summarize(pair_scores(pairs, grade(questions, scores)), resamples=200)


@settings(deadline=None)
@given(graded())
def test_equals_brute_force_and_stays_in_bounds(case):
    result = accuracy(*case)
    macro, micro = brute_force(*case)
    assert result["macro"]["value"] == pytest.approx(macro)
    assert result["micro"]["value"] == pytest.approx(micro)
    for numbers in (result["macro"], result["micro"], *result["phenomena"].values()):
        assert 0 <= numbers["low"] <= numbers["high"] <= 1
        assert 0 <= numbers["value"] <= 1
    assert sum(numbers["questions"] for numbers in result["phenomena"].values()) == len(
        {(c.phenomenon, c.group, c.voice) for c in case[0]}
    )


@settings(deadline=None)
@given(graded(), st.randoms())
def test_the_order_of_candidates_does_not_matter(case, random):
    candidates, scores = case
    order = random.sample(range(len(candidates)), len(candidates))
    assert accuracy([candidates[i] for i in order], scores[order]) == accuracy(candidates, scores)


@settings(deadline=None)
@given(graded())
def test_swapping_good_and_bad_gives_the_complement(case):
    candidates, scores = case
    taken, kept = set(), []
    for index, candidate in enumerate(candidates):  # one bad candidate a question
        key = (candidate.phenomenon, candidate.group, candidate.voice, candidate.correct)
        if key not in taken:
            taken.add(key)
            kept.append(index)
    candidates, scores = [candidates[i] for i in kept], scores[kept]
    swapped = [Candidate(c.id, c.group, c.phenomenon, c.voice, not c.correct, NO_UNITS) for c in candidates]
    before, after = accuracy(candidates, scores), accuracy(swapped, scores)
    for name in ("macro", "micro"):
        assert before[name]["value"] == pytest.approx(1 - after[name]["value"])


def test_a_difference_of_float_rounding_is_a_tie():
    candidates = [Candidate(str(i), "g", "p", "v", i == 0, NO_UNITS) for i in range(2)]
    questions = pose_questions(candidates)
    for gap, points in ((0.0, 0.5), (2e-7, 0.5), (-2e-7, 0.5), (1e-4, 1.0), (-1e-4, 0.0)):
        assert grade(questions, np.array([-2.0 + gap, -2.0])) == points


@pytest.mark.parametrize(("correct", "counts"), [([True], "1 good and 0 bad"), ([False], "0 good and 1 bad")])
def test_an_incomplete_question_is_named(correct, counts):
    candidates = [Candidate(str(i), "g7", "negation", "v1", c, NO_UNITS) for i, c in enumerate(correct)]
    with pytest.raises(InputError, match=f"negation: question 'g7' in voice 'v1' has {counts}"):
        pose_questions(candidates)


def test_no_pairs_is_an_error():
    with pytest.raises(InputError, match="no pairs"):
        pose_questions([])
