import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_tables import write_table

from slm_jax.scaling import read_runs
from slm_jax.scaling.cautions import chance_warnings, growth_warnings
from slm_jax.scaling.downstream import fit_task
from slm_jax.scaling.growth import ALL_RUNS, HIGHEST_ACCURACY, LOWEST_LOSS, fit_growth, frontier_runs

FLOPS = np.geomspace(1e15, 1e20, 16)


def table(tmp_path, accuracy, **more):
    columns = {"params": np.full(16, 1e7), "tokens": FLOPS / 6e7, "pairs": accuracy, **more}
    return read_runs(write_table(tmp_path / "t.csv", columns))


def grow(runs, **options):
    return fit_growth(runs, "pairs", resamples=200, rng=np.random.default_rng(0), **options)


def test_an_exact_power_law(tmp_path):
    growth = grow(table(tmp_path, 0.55 * (FLOPS / 1e15) ** 0.03))
    found = growth.record([1e18, 1e23])
    for end in ("value", "low", "high"):
        assert found["exponent"][end] == pytest.approx(0.03, abs=1e-4)
    assert found["frontier"] == HIGHEST_ACCURACY and found["saturation"] is None and found["runs"] == 16
    assert [point["extrapolated"] for point in found["points"]] == [False, True]
    assert found["points"][0]["value"] == pytest.approx(0.55 * 1000**0.03, rel=1e-4)
    assert found["points"][1]["value"] == pytest.approx(0.55 * 1e8**0.03, rel=1e-4)
    assert np.exp(growth.log_flops_for(0.6)[0]) == pytest.approx(1e15 * (0.6 / 0.55) ** (1 / 0.03), rel=1e-2)


def test_growth_until_accuracy_saturates(tmp_path):
    rng = np.random.default_rng(3)
    ceiling = 0.55 * 100**0.06
    accuracy = np.minimum(0.55 * (FLOPS / 1e15) ** 0.06, ceiling) * np.exp(rng.normal(0, 0.002, 16))
    runs = table(tmp_path, accuracy)
    found = grow(runs, through=ALL_RUNS).record([1e21])
    assert found["exponent"]["value"] == pytest.approx(0.06, abs=0.003)
    assert found["saturation"]["flops"]["value"] == pytest.approx(1e17, rel=0.5)
    assert found["saturation"]["accuracy"]["value"] == pytest.approx(ceiling, abs=0.005)
    assert found["points"][0]["value"] == pytest.approx(ceiling, abs=0.005)
    straight = grow(runs, through=ALL_RUNS, saturates=False).record([1e21])
    assert straight["saturation"] is None and straight["exponent"]["value"] < 0.04


def test_warns_of_runs_without_room_to_grow(tmp_path):
    steep = 0.97 * (FLOPS / FLOPS[-1]) ** 0.05  # above 0.95 at the last alone
    (warning,) = growth_warnings("pairs", grow(table(tmp_path, steep)))
    assert "goes through a run near the most there is (0.97 of 1)" in warning
    assert growth_warnings("pairs", grow(table(tmp_path, 0.9 * steep))) == []
    level = np.minimum(1.2 * (FLOPS / FLOPS[-1]) ** 0.08, 0.98)
    saturating = grow(table(tmp_path, level), through=ALL_RUNS)
    assert np.isfinite(saturating.saturation_1B[0]) and growth_warnings("pairs", saturating) == []


def test_warns_of_a_task_at_chance(tmp_path):
    rng = np.random.default_rng(0)
    accuracy = 0.5 + 0.02 * rng.random(16)

    def found(**more):
        runs = table(tmp_path, accuracy, **more)
        return fit_task(runs, "pairs", np.ones((20, 16)), rng)[0]

    low = found(pairs_low=accuracy - 0.03, pairs_high=accuracy + 0.03)
    assert low["above_chance"] == 0 and "above chance on pairs" in chance_warnings("pairs", low)[0]
    some = found(pairs_low=accuracy - 0.001, pairs_high=accuracy + 0.03)
    assert some["above_chance"] == (accuracy > 0.501).sum() and chance_warnings("pairs", some) == []
    assert found()["above_chance"] is None and chance_warnings("pairs", found()) == []


def test_saturation_is_rarely_found_where_there_is_none(tmp_path):
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.01, (100, 16))
    tables = [table(tmp_path, 0.55 * (FLOPS / 1e15) ** 0.02 * np.exp(errors)) for errors in noise]
    found = [
        np.isfinite(fit_growth(runs, "pairs", resamples=1, rng=rng, through=ALL_RUNS).saturation_1B[0])
        for runs in tables
    ]
    assert np.mean(found) <= 0.05


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.05, 0.95), min_size=16, max_size=16))
def test_the_envelope_has_no_run_that_another_beats(tmp_path_factory, accuracy):
    runs = table(tmp_path_factory.mktemp("any"), accuracy)
    front = frontier_runs(runs, "pairs")
    best = np.maximum.accumulate(accuracy)
    np.testing.assert_allclose(front.tasks["pairs"].accuracy_R, best[np.asarray(accuracy) == best])


def test_the_frontier_of_the_loss_is_the_default_where_losses_are_measured(tmp_path):
    accuracy = np.where(np.arange(16) % 2, 0.9, 0.55 * (FLOPS / 1e15) ** 0.03)  # lucky runs of high loss
    loss = np.where(np.arange(16) % 2, 5.0, 4 * (FLOPS / 1e15) ** -0.02)
    runs = table(tmp_path, accuracy, loss=loss)
    assert len(frontier_runs(runs, "pairs")) == 8
    growth = grow(runs)
    assert growth.frontier == LOWEST_LOSS and growth.gamma_1B[0] == pytest.approx(0.03, abs=1e-4)
    computed = table(tmp_path, accuracy, loss=loss, loss_source=["a law"] * 16)
    assert grow(computed).frontier == HIGHEST_ACCURACY
    assert grow(computed, through=LOWEST_LOSS).gamma_1B[0] == pytest.approx(0.03, abs=1e-4)


def test_checkpoints_of_a_run_are_drawn_together(tmp_path):
    rng = np.random.default_rng(5)
    luck = np.repeat(rng.normal(0, 0.02, 4), 4)
    accuracy = 0.55 * (FLOPS / 1e15) ** 0.02 * np.exp(luck)
    alone = grow(table(tmp_path, accuracy), through=ALL_RUNS)
    together = grow(table(tmp_path, accuracy, run=np.repeat(list("abcd"), 4)), through=ALL_RUNS)
    assert together.gamma_1B[0] == alone.gamma_1B[0]
    width = [found["high"] - found["low"] for found in (g.estimate(g.gamma_1B) for g in (alone, together))]
    assert width[1] > 1.5 * width[0]


def test_one_amount_of_compute_has_no_growth(tmp_path):
    columns = {"params": [1e7, 1e7], "tokens": [1e9, 1e9], "pairs": [0.6, 0.7]}
    assert grow(read_runs(write_table(tmp_path / "t.csv", columns))) is None
