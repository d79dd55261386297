import pathlib

import numpy as np
import pytest
from law_tables import law_loss, write_table
from scipy import stats

from slm_jax.scaling import read_runs
from slm_jax.scaling.bootstrap import resample_counts
from slm_jax.scaling.downstream import fit_task
from slm_jax.scaling.power_law import fit_lines, fit_power_law

PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "reference" / "slm_results.csv"


def test_lines_equal_scipy():
    rng = np.random.default_rng(0)
    x_R, y_R = rng.normal(size=(2, 12))
    counts_BxR = resample_counts(12, 5, rng)
    intercept_B, slope_B = fit_lines(x_R, y_R, counts_BxR)
    for b, counts_R in enumerate(counts_BxR):
        rows = np.repeat(np.arange(12), counts_R.astype(int))
        expected = stats.linregress(x_R[rows], y_R[rows])
        np.testing.assert_allclose([slope_B[b], intercept_B[b]], [expected.slope, expected.intercept])


def test_one_x_gives_no_line():
    _, slope_B = fit_lines(
        np.array([1.0, 1.0, 2.0]), np.arange(3.0), np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1.0]])
    )
    np.testing.assert_array_equal(np.isnan(slope_B), [True, True, False])


def test_exact_power_law():
    flops = np.geomspace(1e11, 1e13, 6)
    law = fit_power_law(flops, 0.5 * (flops / 1e11) ** 0.03, [1e12, 1e14], 200, np.random.default_rng(0))
    for end in ("value", "low", "high"):
        assert law["exponent"][end] == pytest.approx(0.03)
    assert law["r_squared"] == pytest.approx(1)
    assert [point["extrapolated"] for point in law["points"]] == [False, True]
    assert law["points"][1]["value"] == pytest.approx(0.5 * 1000**0.03)


def test_predicted_accuracy_stops_at_one():
    flops = np.geomspace(1e11, 1e13, 6)
    law = fit_power_law(flops, 0.5 * (flops / 1e11) ** 0.1, [1e20], 50, np.random.default_rng(0), ceiling=1.0)
    assert law["points"][0]["value"] == law["points"][0]["high"] == 1.0


def test_too_few_points_have_no_interval():
    law = fit_power_law(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), [4.0], 100, np.random.default_rng(0))
    assert law["exponent"]["low"] is None
    assert fit_power_law(np.array([1.0, 1.0]), np.ones(2), [4.0], 100, np.random.default_rng(0)) is None


def test_correlation_equals_scipy(tmp_path):
    rng = np.random.default_rng(1)
    params, tokens = 10 ** rng.uniform(5, 7, 30), 10 ** rng.uniform(7, 9, 30)
    loss = law_loss(params, tokens)
    accuracy = 0.9 - 0.1 * loss + rng.normal(0, 0.02, 30)
    columns = {"params": params, "tokens": tokens, "loss": loss, "pairs": accuracy}
    runs = read_runs(write_table(tmp_path / "t.csv", columns))
    found, _ = fit_task(runs, "pairs", resample_counts(30, 2000, rng), rng)
    expected = stats.pearsonr(loss, accuracy)
    assert found["correlation"]["value"] == pytest.approx(expected.statistic)
    np.testing.assert_allclose(found["correlation"]["fisher"], expected.confidence_interval(0.95))
    reference = stats.bootstrap(
        (loss, accuracy), lambda x, y: stats.pearsonr(x, y)[0], paired=True, vectorized=False,
        n_resamples=1000, method="percentile", rng=0,
    ).confidence_interval  # fmt: skip
    assert found["correlation"]["low"] == pytest.approx(reference.low, abs=0.03)
    assert found["correlation"]["high"] == pytest.approx(reference.high, abs=0.05)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published endpoints are not here")
@pytest.mark.parametrize(
    ("task", "expected"), [("sblimp_macro", -0.957), ("tstorycloze", -0.975), ("sstorycloze", -0.860)]
)
def test_published_correlations(tmp_path, task, expected):
    import csv

    rows = list(csv.DictReader(PUBLISHED.open()))
    params, tokens, accuracy = (
        np.array([float(row[key]) for row in rows]) for key in ("params", "tokens", task)
    )
    columns = {"params": params, "tokens": tokens, "loss": law_loss(params, tokens), task: accuracy}
    runs = read_runs(write_table(tmp_path / "t.csv", columns))
    rng = np.random.default_rng(0)
    found, _ = fit_task(runs, task, resample_counts(len(runs), 200, rng), rng)
    assert found["correlation"]["value"] == pytest.approx(expected, abs=0.0015)
