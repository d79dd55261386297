"""Downstream accuracy against loss and against compute."""

import numpy as np
from scipy import stats

from slm_jax.scaling.bootstrap import CONFIDENCE, estimate, expanded_tail
from slm_jax.scaling.frontier import on_frontier
from slm_jax.scaling.power_law import fit_lines, fit_power_law
from slm_jax.scaling.table import Runs

MIN_RUNS = 4
LINE_POINTS = 25


def frontier_accuracy(runs: Runs, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Compute and accuracy of the frontier runs that were evaluated on a task and got something right."""
    accuracy_R = runs.tasks[name].accuracy_R
    used_R = on_frontier(runs.flops_R, runs.loss_R) & (accuracy_R > 0)
    return runs.flops_R[used_R], accuracy_R[used_R]


def fit_task(runs: Runs, name: str, counts_BxR, flops_P, rng: np.random.Generator) -> dict | None:
    """How a task's accuracy follows loss and compute.

    Args:
      counts_BxR: resamples of the runs; flops_P: compute to predict accuracy at.

    Returns:
      correlation: Pearson's r of loss and accuracy over all evaluated runs, its bootstrap interval, and
      `fisher`,
        Fisher's z interval;
      line: accuracy = intercept + slope * loss, and its points over the losses of the table;
      compute: the power law Q = scale * (C / reference)^exponent through the frontier runs, exponent = gamma;
      None when fewer than four runs were evaluated or they all have one accuracy.
    """
    accuracy_R = runs.tasks[name].accuracy_R
    known_R = np.isfinite(accuracy_R)
    points = int(known_R.sum())
    if points < MIN_RUNS or np.ptp(accuracy_R[known_R]) == 0 or np.ptp(runs.loss_R[known_R]) == 0:
        return None
    accuracy_R = np.where(known_R, accuracy_R, 1.0)
    weight_BxR = np.concatenate([np.ones((1, len(runs))), counts_BxR]) * known_R
    correlation_B = _correlations(runs.loss_R, accuracy_R, weight_BxR)
    intercept_B, slope_B = fit_lines(runs.loss_R, accuracy_R, weight_BxR)
    tail = expanded_tail(points, 2)
    return {
        "runs": points,
        "correlation": {
            **estimate(correlation_B[0], correlation_B[1:], tail),
            "fisher": _fisher_interval(correlation_B[0], points),
        },
        "line": {
            "intercept": estimate(intercept_B[0], intercept_B[1:], tail),
            "slope": estimate(slope_B[0], slope_B[1:], tail),
            "points": [
                {"loss": float(loss), **estimate(line_B[0], line_B[1:], tail)}
                for loss in np.linspace(runs.loss_R[known_R].min(), runs.loss_R[known_R].max(), LINE_POINTS)
                for line_B in [intercept_B + slope_B * loss]
            ],
        },
        "compute": fit_power_law(
            *frontier_accuracy(runs, name), flops_P, resamples=len(counts_BxR), rng=rng, ceiling=1.0
        ),
    }


def _correlations(x_R, y_R, weight_BxR) -> np.ndarray:
    """Weighted Pearson correlations; NaN where the weights leave no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share_BxR = weight_BxR / weight_BxR.sum(axis=1, keepdims=True)
        dx_BxR = x_R - (share_BxR @ x_R)[:, None]
        dy_BxR = y_R - (share_BxR @ y_R)[:, None]
        var_x_B, var_y_B = (share_BxR * dx_BxR**2).sum(axis=1), (share_BxR * dy_BxR**2).sum(axis=1)
        correlation_B = (share_BxR * dx_BxR * dy_BxR).sum(axis=1) / np.sqrt(var_x_B * var_y_B)
    spread_B = (var_x_B > 1e-12 * np.var(x_R)) & (var_y_B > 1e-12 * np.var(y_R))
    return np.where(spread_B, np.clip(correlation_B, -1, 1), np.nan)


def _fisher_interval(correlation: float, points: int) -> list[float]:
    """Interval of a correlation of normal variables: tanh(atanh(r) +- z / sqrt(n - 3)) (Fisher 1915)."""
    reach = stats.norm.ppf(0.5 + CONFIDENCE / 2) / np.sqrt(points - 3)
    center = np.arctanh(np.clip(correlation, -1 + 1e-15, 1 - 1e-15))
    return [float(np.tanh(center - reach)), float(np.tanh(center + reach))]
