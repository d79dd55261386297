"""Bootstrap intervals against simulation, against a plain resampling loop, and against closed forms."""

import numpy as np
import pytest

from slm_jax.errors import InputError
from slm_jax.evaluation import PairScores, summarize, summarize_difference


def pairs_of(score_P, phenomenon_P=None, voices: int = 1) -> PairScores:
    phenomenon_P = np.full(len(score_P), "p") if phenomenon_P is None else np.asarray(phenomenon_P)
    return PairScores(
        phenomenon_P,
        np.arange(len(score_P)).astype(str),
        np.asarray(score_P, float),
        np.full(len(score_P), voices),
    )


@pytest.mark.parametrize("truth", [0.55, 0.8])
def test_intervals_cover_the_truth_as_often_as_they_say(truth):
    """Of 400 intervals, 95 % hold the truth (three binomial standard errors are 3.3 %)."""
    rng = np.random.default_rng(0)
    intervals = [
        summarize(pairs_of(rng.random(150) < truth), seed=seed, resamples=1000)["macro"]
        for seed in range(400)
    ]
    coverage = np.mean([interval["low"] <= truth <= interval["high"] for interval in intervals])
    assert 0.95 - 0.033 < coverage < 0.95 + 0.033


def test_width_is_that_of_the_normal_approximation():
    score_P = np.repeat([0.0, 1.0], [400, 600])
    interval = summarize(pairs_of(score_P))["macro"]
    assert interval["value"] == pytest.approx(0.6)
    expected = 2 * 1.96 * np.sqrt(0.6 * 0.4 / 1000)
    assert interval["high"] - interval["low"] == pytest.approx(expected, rel=0.05)


def test_equals_resampling_pair_by_pair():
    rng = np.random.default_rng(1)
    phenomenon_P = np.repeat(["a", "b"], [40, 90])
    score_P = rng.choice([0, 0.125, 0.5, 0.75, 1], 130)
    result = summarize(pairs_of(score_P, phenomenon_P, voices=4))
    a, b = score_P[:40], score_P[40:]
    draws = [(rng.choice(a, 40).mean(), rng.choice(b, 90).mean()) for _ in range(10_000)]
    mean_a, mean_b = np.array(draws).T
    for numbers, draw_R in (
        (result["macro"], (mean_a + mean_b) / 2),
        (result["micro"], (40 * mean_a + 90 * mean_b) / 130),
        (result["phenomena"]["a"], mean_a),
        (result["phenomena"]["b"], mean_b),
    ):
        low, high = np.quantile(draw_R, [0.025, 0.975])
        assert numbers["low"] == pytest.approx(low, abs=0.01)
        assert numbers["high"] == pytest.approx(high, abs=0.01)
    assert result["phenomena"]["b"]["pairs"] == 90
    assert result["phenomena"]["b"]["questions"] == 360


def test_voices_of_a_pair_are_not_independent_evidence():
    """Four voices that agree say no more than one: the interval is as wide as with one voice."""
    score_P = np.repeat([0.0, 1.0], [50, 50])
    one, four = summarize(pairs_of(score_P, voices=1)), summarize(pairs_of(score_P, voices=4))
    assert one["macro"] == four["macro"]


def test_a_seed_fixes_the_interval():
    pairs = pairs_of(np.random.default_rng(2).random(30))
    assert summarize(pairs, seed=3) == summarize(pairs, seed=3)
    assert summarize(pairs, seed=3)["macro"] != summarize(pairs, seed=4)["macro"]


def test_paired_difference_is_narrower_than_unpaired_when_the_models_agree():
    rng = np.random.default_rng(3)
    hard_P = rng.random(300)
    first = pairs_of(hard_P + 0.05 * rng.random(300) < 0.7)
    second = pairs_of(hard_P + 0.05 * rng.random(300) < 0.65)
    difference = summarize_difference(first, second)["macro"]
    assert difference["value"] == pytest.approx(first.score_P.mean() - second.score_P.mean())
    one = summarize(first)["macro"]
    assert difference["high"] - difference["low"] < one["high"] - one["low"]
    assert difference["low"] > 0


def test_a_model_does_not_differ_from_itself():
    pairs = pairs_of(np.random.default_rng(4).random(20))
    assert summarize_difference(pairs, pairs)["macro"] == {"value": 0, "low": 0, "high": 0}


def test_models_on_different_pairs_cannot_be_compared():
    with pytest.raises(InputError, match="different pairs"):
        summarize_difference(pairs_of([1, 0, 1]), pairs_of([1, 0]))
