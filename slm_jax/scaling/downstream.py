"""Downstream accuracy against loss and against compute."""

import numpy as np
from scipy import stats

from slm_jax.scaling.bootstrap import CONFIDENCE, estimate, expanded_tail
from slm_jax.scaling.forms.sigmoid import Sigmoid
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.power_law import fit_lines
from slm_jax.scaling.table import Runs, Task

MIN_RUNS = 4
LINE_POINTS = 25


def fit_task(
    runs: Runs, name: str, counts_BxR, rng: np.random.Generator, chance: float = 0.5
) -> tuple[dict | None, dict]:
    """How a task's accuracy follows the loss.

    Args:
      counts_BxR: resamples of the runs; chance: the accuracy of guessing.

    Returns:
      A dict of
      above_chance: how many runs have an interval of their accuracy above chance, None without intervals;
      correlation: Pearson's r of loss and accuracy over all evaluated runs, its bootstrap interval, and
      `fisher`,
        Fisher's z interval;
      line: accuracy = intercept + slope * loss, and its points over the losses of the table;
      sigmoid: chance + (1 - chance) / (1 + (L / middle)^steepness), or None where the losses are too few;
      and the resamples of line and sigmoid. Runs without a loss do not count here; with fewer than four left,
      or all of one loss, what needs a loss is None. None and nothing when fewer than four runs were
      evaluated or they all have one accuracy.
    """
    accuracy_R = runs.tasks[name].accuracy_R
    known_R = np.isfinite(accuracy_R)
    evaluated = int(known_R.sum())
    if evaluated < MIN_RUNS or np.ptp(accuracy_R[known_R]) == 0:
        return None, {}
    known_R &= np.isfinite(runs.loss_R)
    loss_R, accuracy_R = runs.loss_R[known_R], accuracy_R[known_R]
    if len(loss_R) < MIN_RUNS or np.ptp(loss_R) == 0:
        nothing = dict.fromkeys(("correlation", "line", "sigmoid"))
        found = {"runs": evaluated, "tail": expanded_tail(evaluated, 2), **nothing}
        return found | {"above_chance": _above(runs.tasks[name], chance)}, {}
    sigmoid = _fit_sigmoid(loss_R, accuracy_R, chance, len(counts_BxR), rng)
    weight_BxR = np.concatenate([np.ones((1, len(loss_R))), counts_BxR[:, known_R]])
    correlation_B = _correlations(loss_R, accuracy_R, weight_BxR)
    intercept_B, slope_B = fit_lines(loss_R, accuracy_R, weight_BxR)
    tail = expanded_tail(len(loss_R), 2)
    miss_R = accuracy_R - intercept_B[0] - slope_B[0] * loss_R
    found = {
        "runs": evaluated,
        "tail": tail,
        "above_chance": _above(runs.tasks[name], chance),
        "correlation": {
            **estimate(correlation_B[0], correlation_B[1:], tail),
            "fisher": _fisher_interval(correlation_B[0], len(loss_R)),
        },
        "line": {
            "intercept": estimate(intercept_B[0], intercept_B[1:], tail),
            "slope": estimate(slope_B[0], slope_B[1:], tail),
            "points": [
                {"loss": float(loss), **estimate(line_B[0], line_B[1:], tail)}
                for loss in np.linspace(loss_R.min(), loss_R.max(), LINE_POINTS)
                for line_B in [intercept_B + slope_B * loss]
            ],
            "error": _spread(miss_R),
        },
        "sigmoid": sigmoid
        and {
            **sigmoid.parameters(),
            "chance": chance,
            "error": _spread(sigmoid.residual_R),
            "at_bounds": sigmoid.at_bounds(),
            "tail": sigmoid.tail,
        },
    }
    # A resample of runs that all have one loss has no line: the estimate stands in for it.
    lines_Bx2 = np.stack([intercept_B, slope_B], axis=1)
    lines_Bx2 = np.where(np.isfinite(lines_Bx2), lines_Bx2, lines_Bx2[0])
    samples = {"line": lines_Bx2[1:].tolist()}
    return found, samples | {"sigmoid": sigmoid.samples() if sigmoid else []}


def _above(task: Task, chance: float) -> int | None:
    known_R = np.isfinite(task.low_R)
    return int((task.low_R[known_R] > chance).sum()) if known_R.any() else None


def _fit_sigmoid(loss_R, accuracy_R, chance: float, resamples: int, rng) -> LawFit | None:
    form = Sigmoid(chance)
    if form.why_not_identified(loss_R):
        return None
    return LawFit(form, loss_R[None], accuracy_R, resamples=resamples, rng=rng)


def _spread(residual_R: np.ndarray) -> float:
    """Root mean square of the misses of a curve with two parameters."""
    return float(np.sqrt((residual_R**2).sum() / max(len(residual_R) - 2, 1)))


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
