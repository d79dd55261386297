import functools

import jax
import numpy as np
import pytest
from law_tables import LAW, isoflop_grid, law_loss, noisy_loss
from scipy import optimize

from slm_jax.scaling import solver
from slm_jax.scaling.forms import COMPUTE_FLOOR, DATA_CONSTRAINED, KAPLAN, PLAIN
from slm_jax.scaling.forms.sigmoid import Sigmoid
from slm_jax.scaling.law_fit import LawFit, _one_of_the_best


def plain_fit(params, tokens, loss, resamples=0, **more):
    rng = np.random.default_rng(0)
    return LawFit(PLAIN, (params, tokens), np.log(loss), resamples=resamples, rng=rng, **more)


def test_the_grid_is_hoffmanns():
    grid = PLAIN.starts(np.zeros(2))
    assert grid.shape == (4500, 5) and len(np.unique(grid, axis=0)) == 4500
    np.testing.assert_array_equal(grid.min(axis=0), [-1, 0, 0, 0, 0])
    np.testing.assert_array_equal(grid.max(axis=0), [1, 25, 25, 2, 2])


def test_recovers_a_noise_free_law():
    params, tokens = isoflop_grid()
    fit = plain_fit(params, tokens, law_loss(params, tokens))
    np.testing.assert_allclose(fit.values_P, list(LAW.values()), rtol=1e-5)
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
    fit = plain_fit(params, tokens, loss)
    center = np.array([np.log(params).mean(), np.log(tokens).mean()])
    rows = (np.log(params), np.log(tokens), np.log(loss))
    assert reference_objective(PLAIN.theta(fit.values_P), rows)[0] == pytest.approx(fit.objective, rel=1e-9)
    rows = (rows[0] - center[0], rows[1] - center[1], rows[2])
    box = PLAIN.box(rows[2].min())
    scipy_best = np.inf
    for start in PLAIN.starts(center)[::12]:
        found = optimize.minimize(
            lambda theta: tuple(1e3 * part for part in reference_objective(theta, rows)),
            np.clip(start, *box),
            jac=True,
            method="L-BFGS-B",
            bounds=list(box.T),
            options={"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-12},
        )
        scipy_best = min(scipy_best, found.fun / 1e3)
    assert fit.objective <= scipy_best * (1 + 1e-6)


FORMS = {
    "plain": (PLAIN, [0.5, 0.0, 0.2, 0.3, 0.4]),
    "kaplan": (KAPLAN, [0.4, 0.6, 0.1, 0.2]),
    "data_constrained": (DATA_CONSTRAINED, [0.5, 0.0, 0.2, 0.3, 0.4, 1.0, 2.0]),
    "compute_floor": (COMPUTE_FLOOR, [0.5, 0.1, 0.2]),
    "sigmoid": (Sigmoid(0.5), [0.1, 3.0]),
}


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_are_those_of_the_objective(name):
    form, theta = FORMS[name]
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        columns = tuple(rng.normal(size=(9, 1)) for _ in form.columns)
        rows = (columns, rng.normal(size=(9, 1)), rng.integers(0, 3, size=(9, 1)).astype(float))
        theta_P = np.array(theta)

        def objective(theta_P):
            return solver.huber_objective(form, theta_P[:, None], *rows)[0]

        gradient, _, hessian = jax.jit(functools.partial(solver.derivatives, form))(theta_P[:, None], *rows)
        np.testing.assert_allclose(
            np.stack(gradient)[:, 0], jax.jit(jax.grad(objective))(theta_P), rtol=1e-9, atol=1e-15
        )
        expected_PxP = np.asarray(jax.jit(jax.hessian(objective))(theta_P))
    for (i, j), entry in hessian.items():
        np.testing.assert_allclose(entry[0], expected_PxP[i, j], rtol=1e-8, atol=1e-12)


def test_float64_stays_inside(fewer_starts):
    params, tokens = isoflop_grid()
    plain_fit(params, tokens, law_loss(params, tokens))
    assert jax.numpy.ones(()).dtype == "float32"


def test_weights_equal_repeated_rows():
    params, tokens = isoflop_grid()
    loss = noisy_loss(params, tokens, 0.01)
    counts_R = np.array([2, 0, 1, 1, 3, 0, 1, 2, 0, 1, 1, 1, 0, 2, 1, 0], float)
    rows = np.repeat(np.arange(16), counts_R.astype(int))
    x_KxR = np.log([params, tokens]) - np.log([params, tokens]).mean(axis=1, keepdims=True)
    start, box = np.array([[0.5, 0.0, 0.0, 0.3, 0.3]]), PLAIN.box(np.log(loss.min()))
    weighted = solver.minimize(PLAIN, start, x_KxR, np.log(loss), counts_R[None], box)
    repeated = solver.minimize(PLAIN, start, x_KxR[:, rows], np.log(loss[rows]), np.ones((1, len(rows))), box)
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-3)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-6)


def test_each_problem_has_its_own_response():
    params, tokens = isoflop_grid()
    x_KxR = np.log([params, tokens]) - np.log([params, tokens]).mean(axis=1, keepdims=True)
    laws_Bx5 = np.array([[1.7, 14, 40, 0.25, 0.24], [1.6, 40, 41, 0.34, 0.28], [1.0, 20, 30, 0.3, 0.2]])
    response_BxR = np.log(PLAIN.loss(laws_Bx5[:, None], params, tokens))
    starts_Bx5 = np.tile([0.3, 0.0, 0.0, 0.3, 0.3], (3, 1))
    theta_Bx5, objective_B = solver.minimize(
        PLAIN, starts_Bx5, x_KxR, response_BxR, np.ones((3, 16)), PLAIN.box(response_BxR.min())
    )
    np.testing.assert_allclose(theta_Bx5[:, 3:], laws_Bx5[:, 3:], rtol=1e-6)
    assert objective_B.max() < 1e-15


def test_two_sizes_or_few_runs_identify_no_law():
    assert "3 model sizes" in PLAIN.why_not_identified(*isoflop_grid(sizes=2))
    assert "token counts" in PLAIN.why_not_identified(np.geomspace(1e5, 1e7, 6), np.full(6, 1e8))
    assert "6 runs" in PLAIN.why_not_identified(np.geomspace(1e5, 1e7, 5), np.geomspace(1e5, 1e7, 5))
    assert "in step" in PLAIN.why_not_identified(np.geomspace(1e5, 1e7, 9), np.geomspace(1e7, 1e9, 9))
    assert PLAIN.why_not_identified(*isoflop_grid()) is None


def test_equally_good_optima_take_turns():
    objective_BxW = np.array([[1.0, 1.0, 2.0]] * 4 + [[3.0, 2.0, 1.0]])
    assert _one_of_the_best(objective_BxW).tolist() == [0, 1, 0, 1, 2]


def test_a_law_without_floor_lies_on_the_bound_of_E(fewer_starts):
    params, tokens = isoflop_grid()
    fit = plain_fit(params, tokens, 13.9 / params**0.25 + 39.8 / tokens**0.24 - 0.05)
    assert "E" in fit.at_bounds()
    assert (fit.covariance()[0] == 0).all()


def test_covariance_agrees_with_the_spread_of_refits(fewer_starts):
    params, tokens = isoflop_grid(7, 6)
    fit = plain_fit(params, tokens, noisy_loss(params, tokens, 0.005, seed=4), resamples=400)
    spread = PLAIN.theta(fit.values_BxP).std(axis=0)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance())), spread, rtol=0.6)
    assert fit.noise() == pytest.approx(0.005 * np.sqrt(np.pi / 2), rel=0.6)


def test_rows_of_one_run_are_drawn_together(fewer_starts):
    params, tokens = isoflop_grid()
    loss = noisy_loss(params, tokens, 0.01)
    twice = [np.tile(column, 2) for column in (params, tokens, loss)]
    run_R = np.tile(np.arange(16), 2)
    clustered = plain_fit(*twice, resamples=200, run_R=run_R)
    assert clustered.bootstrap == "runs" and plain_fit(*twice, resamples=5).bootstrap == "residuals"
    naive = plain_fit(*twice, resamples=200)
    width = [
        np.subtract(*[fit.parameters()["beta"][end] for end in ("high", "low")]) for fit in (clustered, naive)
    ]
    assert width[0] > 1.2 * width[1]  # the same runs twice are no more evidence


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    params, tokens = isoflop_grid(7, 6)
    studies, held = 60, np.zeros(5)
    for seed in range(studies):
        loss = noisy_loss(params, tokens, 0.005, seed=seed)
        found = plain_fit(params, tokens, loss, resamples=200, every=45).parameters()
        held += [found[name]["low"] <= value <= found[name]["high"] for name, value in LAW.items()]
    assert held.min() >= 51  # 95 % of 60 is 57; 50 or fewer has a chance of 0.1 %
