import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from slm_jax.scaling import judge, mean_difference
from slm_jax.scaling.figures.equal_compute import draw_equal_compute

TRAININGS = np.repeat(np.arange(6), 2)
PHENOMENA = np.repeat(["a", "b", "c"], [30, 20, 10])
OF = [np.flatnonzero(np.equal(PHENOMENA, name)) for name in "abc"]


def difference(apart_KxP, **options):
    return mean_difference(apart_KxP, TRAININGS, PHENOMENA, **{"resamples": 300, "seed": 0, **options})


def test_the_mean_is_that_of_phenomena_and_runs():
    apart = np.random.default_rng(0).normal(0.1, 0.3, (12, 60))
    expected = np.mean([apart[:, of].mean() for of in OF])
    assert difference(apart)["value"] == pytest.approx(expected)


def test_the_interval_of_runs_alone_is_students():
    """Without questions that differ the interval is that of the mean of six."""
    of_training = np.random.default_rng(1).normal(0.05, 0.02, 6)
    found = difference(np.repeat(of_training, 2)[:, None].repeat(60, axis=1))
    low, high = stats.t.interval(0.95, 5, of_training.mean(), of_training.std(ddof=1) / np.sqrt(6))
    assert (found["low"], found["high"]) == pytest.approx((low, high))


def test_the_interval_of_questions_alone_is_that_of_strata():
    """Without runs that differ the interval is the closed form of a stratified mean."""
    of_pair = np.random.default_rng(2).normal(0.05, 0.2, 60)
    found = difference(np.tile(of_pair, (12, 1)), resamples=20_000)
    variance = np.mean([of_pair[of].var() / len(of) for of in OF]) / 3
    value, reach = np.mean([of_pair[of].mean() for of in OF]), 1.96 * np.sqrt(variance)
    assert found["low"] == pytest.approx(value - reach, abs=0.05 * reach)
    assert found["high"] == pytest.approx(value + reach, abs=0.05 * reach)


@pytest.mark.parametrize("trainings", [2, 3, 4])
def test_few_trainings_are_covered(trainings):
    """Of runs alone in 95 %, give or take three standard errors; of answers too in no less."""
    rng, cluster = np.random.default_rng(5), np.repeat(np.arange(trainings), 2)

    def covered(apart_KxP) -> bool:
        found = mean_difference(apart_KxP, cluster, np.zeros(apart_KxP.shape[1]), resamples=40, seed=0)
        return found["low"] <= 0 <= found["high"]

    skill_SxK = rng.normal(size=(4000, trainings)).repeat(2, axis=1)
    assert np.mean([covered(skill_K[:, None]) for skill_K in skill_SxK]) == pytest.approx(0.95, abs=0.0103)
    chance_SxKx1 = 0.5 + 0.1 * skill_SxK[:800, :, None].clip(-4, 4)
    answers_SxKxP = rng.binomial(1, chance_SxKx1, (800, 2 * trainings, 30))
    assert np.mean([covered(answers_KxP - 0.5) for answers_KxP in answers_SxKxP]) >= 0.94


def test_coverage_and_a_null_effect():
    """Effects of runs and of questions, and answers that are right or wrong; the truth is no difference."""
    rng, found = np.random.default_rng(3), []
    for number in range(200):
        skill = np.repeat(rng.normal(0, 0.03, 6), 2)[:, None] + rng.normal(0, 0.1, 60)
        answers = [rng.binomial(6, np.clip(0.6 + sign * skill / 2, 0, 1)) / 6 for sign in (1, -1)]
        found.append(difference(answers[0] - answers[1], seed=number, resamples=200))
    covered = np.mean([row["low"] <= 0 <= row["high"] for row in found])
    supported = np.mean([judge(row, above=0.0) == "supported" for row in found])
    assert covered >= 0.93 and supported <= 0.04
    width = np.mean([row["high"] - row["low"] for row in found])
    assert width < 2 * 2 * stats.t.ppf(0.975, 5) * np.std([row["value"] for row in found])


@settings(max_examples=40, deadline=None)
@given(st.floats(-1, 1), st.integers(2, 5), st.integers(1, 3))
def test_a_constant_difference_is_certain(size, trainings, each):
    apart = np.full((trainings * each, 60), size)
    cluster = np.repeat(np.arange(trainings), each)
    found = mean_difference(apart, cluster, PHENOMENA, resamples=50, seed=0)
    np.testing.assert_allclose([found["low"], found["value"], found["high"]], size, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 10), st.floats(-1, 1))
def test_scale_and_shift(scale, shift):
    apart = np.random.default_rng(4).normal(0, 1, (12, 60))
    before, after = difference(apart), difference(scale * apart + shift)
    for end in ("low", "value", "high"):
        assert after[end] == pytest.approx(scale * before[end] + shift, abs=1e-9)


def test_one_training_has_no_interval():
    found = mean_difference(np.ones((3, 60)), np.zeros(3), PHENOMENA, resamples=50, seed=0)
    assert found == {"value": pytest.approx(1), "low": None, "high": None}


@pytest.mark.parametrize(
    ("measure", "label"), [("pairs", "Accuracy"), ("loss_per_second", "nats per second")]
)
def test_figure(measure, label):
    cells = [
        {"size": size, "budget": budget, "seed": seed, "better": 0.7 + 0.01 * seed, "other": 0.6}
        for size in ("30k", "90k")
        for budget in (1e12, 3e12)
        for seed in (0, 1)
    ]
    claim = {"name": "x", "arms": ["speech", "speech_50hz"], "measure": measure, "cells": cells}
    figure = draw_equal_compute(claim)
    (axes,) = figure.axes
    assert label in axes.get_ylabel()
    assert "speech and speech 50hz" in axes.get_title(loc="left")
    means = [line.get_ydata() for line in axes.lines if line.get_zorder() == 3]
    np.testing.assert_allclose(means, [[0.705, 0.705], [0.6, 0.6]] * 2)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["speech", "speech 50hz", "30k", "90k", "single seed"]


def test_each_of_five_sizes_has_a_marker_of_its_own():
    cells = [{"size": f"{n}k", "budget": 1e12, "seed": 0, "better": 0.7, "other": 0.6} for n in range(5)]
    claim = {"name": "x", "arms": ["speech", "prose"], "measure": "pairs", "cells": cells}
    (axes,) = draw_equal_compute(claim).axes
    assert len({line.get_marker() for line in axes.lines}) == 5
