import jax
import numpy as np
import pytest
from law_tables import LAW, isoflop_grid, law_loss, noisy_loss
from scipy import optimize

from slm_jax.scaling import loss_law, solver
from slm_jax.scaling.bootstrap import resample_counts
from slm_jax.scaling.frontier import allocation_exponents

NO_RESAMPLES = np.zeros((0, 16))


@pytest.fixture
def fewer_starts(monkeypatch):
    """Every 15th of the 4,500 starts."""
    grid = loss_law.start_grid()[::15]
    monkeypatch.setattr(loss_law, "start_grid", grid.copy)


def test_the_grid_is_hoffmanns():
    grid = loss_law.start_grid()
    assert grid.shape == (4500, 5) and len(np.unique(grid, axis=0)) == 4500
    np.testing.assert_array_equal(grid.min(axis=0), [-1, 0, 0, 0, 0])
    np.testing.assert_array_equal(grid.max(axis=0), [1, 25, 25, 2, 2])


def test_recovers_a_noise_free_law():
    params, tokens = isoflop_grid()
    fit = loss_law.LossLawFit(params, tokens, law_loss(params, tokens), NO_RESAMPLES)
    np.testing.assert_allclose(fit.law_5, list(LAW.values()), rtol=1e-5)
    assert fit.starts == 4500 and fit.starts_at_optimum > 2000
    assert fit.at_bounds() == []


def reference_objective(theta, rows):
    """Huber's loss of log L and its gradient, in plain numpy."""
    x, y, log_loss = rows
    e, a, b, alpha, beta = theta
    terms = np.stack([np.full_like(x, e), a - alpha * x, b - beta * y])
    predicted = np.logaddexp.reduce(terms)
    share = np.exp(terms - predicted)
    residual = predicted - log_loss
    delta = solver.HUBER_DELTA
    size = np.abs(residual)
    value = np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)).sum()
    pull = np.clip(residual, -delta, delta)
    gradient = [
        pull @ share[0],
        pull @ share[1],
        pull @ share[2],
        -pull @ (x * share[1]),
        -pull @ (y * share[2]),
    ]
    return value, np.array(gradient)


@pytest.mark.parametrize(("noise", "outliers"), [(0.003, 0), (0.02, 0), (0.01, 2)])
def test_never_worse_than_scipy_from_the_same_starts(noise, outliers, fewer_starts):
    params, tokens = isoflop_grid()
    loss = noisy_loss(params, tokens, noise, seed=3)
    loss[:outliers] *= 1.15
    fit = loss_law.LossLawFit(params, tokens, loss, NO_RESAMPLES)
    x, y = np.log(params) - np.log(params).mean(), np.log(tokens) - np.log(tokens).mean()
    rows = (x, y, np.log(loss))
    assert reference_objective(fit.theta_5, rows)[0] == pytest.approx(fit.objective, rel=1e-9)
    scipy_best = np.inf
    for start in loss_law.start_grid()[::12]:
        start[1] -= start[3] * np.log(params).mean()
        start[2] -= start[4] * np.log(tokens).mean()
        found = optimize.minimize(
            lambda theta: tuple(1e3 * part for part in reference_objective(theta, rows)),
            np.clip(start, fit.lower_5, fit.upper_5),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(fit.lower_5, fit.upper_5, strict=True)),
            options={"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-12},
        )
        scipy_best = min(scipy_best, found.fun / 1e3)
    assert fit.objective <= scipy_best * (1 + 1e-6)


def test_derivatives_are_those_of_the_objective():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        rows = tuple(rng.normal(size=(9, 1)) for _ in range(3))
        weight_Rx1 = rng.integers(0, 3, size=(9, 1)).astype(float)
        theta_5 = rng.normal(size=5) * 0.1

        def objective(theta_5):
            return solver.huber_objective(theta_5[:, None], *rows, weight_Rx1)[0]

        gradient, _, hessian = solver._derivatives(theta_5[:, None], *rows, weight_Rx1)
        np.testing.assert_allclose(
            np.stack(gradient)[:, 0], jax.grad(objective)(theta_5), rtol=1e-9, atol=1e-15
        )
        expected_5x5 = np.asarray(jax.hessian(objective)(theta_5))
    for (i, j), entry in hessian.items():
        np.testing.assert_allclose(entry[0], expected_5x5[i, j], rtol=1e-8, atol=1e-15)


def test_float64_stays_inside(fewer_starts):
    params, tokens = isoflop_grid()
    loss_law.LossLawFit(params, tokens, law_loss(params, tokens), NO_RESAMPLES)
    assert jax.numpy.ones(()).dtype == "float32"


def test_weights_equal_repeated_rows(fewer_starts):
    params, tokens = isoflop_grid()
    loss = noisy_loss(params, tokens, 0.01)
    counts_R = np.array([2, 0, 1, 1, 3, 0, 1, 2, 0, 1, 1, 1, 0, 2, 1, 0], float)
    fit = loss_law.LossLawFit(params, tokens, loss, counts_R[None])
    rows = np.repeat(np.arange(16), counts_R.astype(int))
    repeated = loss_law.LossLawFit(params[rows], tokens[rows], loss[rows], np.zeros((0, len(rows))))
    np.testing.assert_allclose(fit.law_Bx5[0, 3:], repeated.law_5[3:], rtol=1e-3)


def test_two_sizes_or_few_runs_identify_no_law():
    two = isoflop_grid(sizes=2)
    assert "3 model sizes" in loss_law.why_not_identified(*two)
    assert "token counts" in loss_law.why_not_identified(np.geomspace(1e5, 1e7, 6), np.full(6, 1e8))
    assert "6 runs" in loss_law.why_not_identified(np.geomspace(1e5, 1e7, 5), np.geomspace(1e5, 1e7, 5))
    assert "in step" in loss_law.why_not_identified(np.geomspace(1e5, 1e7, 9), np.geomspace(1e7, 1e9, 9))
    assert loss_law.why_not_identified(*isoflop_grid()) is None


def test_equally_good_optima_take_turns():
    objective_BxW = np.array([[1.0, 1.0, 2.0]] * 4 + [[3.0, 2.0, 1.0]])
    assert loss_law._one_of_the_best(objective_BxW).tolist() == [0, 1, 0, 1, 2]


def test_a_law_without_floor_lies_on_the_bound_of_E(fewer_starts):
    params, tokens = isoflop_grid()
    fit = loss_law.LossLawFit(params, tokens, 13.9 / params**0.25 + 39.8 / tokens**0.24 - 0.05, NO_RESAMPLES)
    assert "E" in fit.at_bounds()


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(fewer_starts):
    params, tokens = isoflop_grid()
    rng = np.random.default_rng(11)
    trials, held = 40, 0
    truth = LAW["beta"] / (LAW["alpha"] + LAW["beta"])
    for trial in range(trials):
        loss = noisy_loss(params, tokens, 0.01, seed=trial)
        fit = loss_law.LossLawFit(params, tokens, loss, resample_counts(16, 200, rng))
        low, high = np.quantile(allocation_exponents(fit.law_Bx5)[0], [0.025, 0.975])
        held += low <= truth <= high
    assert held >= 34  # 95 % of 40 is 38; fewer than 34 has a chance below 1 %
