"""How accuracy grows with compute: the power law Q = scale C^gamma along a frontier, until it saturates."""

from dataclasses import dataclass

import numpy as np

from slm_jax.scaling.bootstrap import Estimate, estimate, expanded_tail, resample_counts
from slm_jax.scaling.frontier import beaten_by, on_frontier
from slm_jax.scaling.power_law import fit_lines
from slm_jax.scaling.table import Runs

LOWEST_LOSS, HIGHEST_ACCURACY, ALL_RUNS = "lowest loss", "highest accuracy", "all runs"
LEAST_BELOW, LEAST_ABOVE = 3, 2  # runs on the two sides of the point where accuracy saturates
STRONG_BIC = 6.0  # "strong" evidence (Kass & Raftery 1995): 2 % of straight power laws give it by chance
CANDIDATES = 120  # places where saturation may begin


@dataclass(frozen=True)
class Growth:
    """log Q = intercept + gamma * min(log C, saturation) - gamma * center, of a table and its B resamples.

    The first entry of each array is the table's, the rest its resamples'. `saturation_1B` is infinite where
    accuracy does not saturate.
    """

    intercept_1B: np.ndarray
    gamma_1B: np.ndarray
    saturation_1B: np.ndarray
    center: float
    flops_F: np.ndarray  # compute and accuracy of the runs the law goes through
    accuracy_F: np.ndarray
    r_squared: float
    frontier: str
    tail: float | None

    def estimate(self, samples_1B: np.ndarray) -> Estimate:
        """A function of the law with its interval."""
        return estimate(samples_1B[0], samples_1B[1:], self.tail)

    def accuracy(self, flops: float) -> np.ndarray:
        """Accuracy at `flops` by the table and each resample, 1 at most."""
        reach_1B = np.minimum(np.log(flops), self.saturation_1B) - self.center
        return np.minimum(np.exp(self.intercept_1B + self.gamma_1B * reach_1B), 1.0)

    def log_flops_for(self, accuracy: float) -> np.ndarray:
        """log C at which the power law, continued as if nothing saturated, reaches `accuracy`.

        Infinite where accuracy does not grow.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            reach_1B = (np.log(accuracy) - self.intercept_1B) / self.gamma_1B + self.center
        return np.where(self.gamma_1B > 0, reach_1B, np.where(np.isnan(self.gamma_1B), np.nan, np.inf))

    def record(self, flops_P: np.ndarray) -> dict:
        """What laws.json holds: a power law of accuracy, with `frontier` and `saturation`."""
        points = [
            {
                "flops": float(flops),
                "extrapolated": bool(flops > self.flops_F.max()),
                **self.estimate(self.accuracy(flops)),
            }
            for flops in flops_P
        ]
        saturation = None
        if np.isfinite(self.saturation_1B[0]):
            at_1B = np.where(np.isfinite(self.saturation_1B), self.saturation_1B, np.log(self.flops_F.max()))
            level_1B = np.exp(self.intercept_1B + self.gamma_1B * (at_1B - self.center))
            saturation = {
                "flops": self.estimate(np.exp(at_1B)),
                "accuracy": self.estimate(np.minimum(level_1B, 1.0)),
            }
        return {
            "exponent": self.estimate(self.gamma_1B),
            "scale": self.estimate(np.exp(self.intercept_1B)),
            "reference": float(np.exp(self.center)),
            "r_squared": self.r_squared,
            "runs": len(self.flops_F),
            "frontier": self.frontier,
            "saturation": saturation,
            "points": points,
        }


def fit_growth(
    runs: Runs, task: str, *, resamples: int, rng, through: str | None = None, saturates: bool = True
) -> Growth | None:
    """The power law of a task's accuracy through the runs of one frontier.

    Args:
      through: LOWEST_LOSS: the runs no other beats in loss with the same or less compute; HIGHEST_ACCURACY:
        those none beats in accuracy, the envelope of Cuervo & Marxer 2024; or ALL_RUNS. By default the first
        where all evaluated runs have a measured loss, else the second.
      saturates: whether the accuracy may stop to grow. Where the data speak strongly for it (information
        criteria 6 apart), gamma is the exponent below the point where it does.

    Returns None when fewer than two runs of different compute are left.

    The envelope of the highest accuracy grows by construction, so that its resamples draw from all runs and
    find their own envelope. Where rows share a run (`runs.run`), whole runs are drawn.
    """
    known = _evaluated(runs, task)
    through = through or _default_frontier(known)
    drawn = frontier_runs(known, task, through) if through == LOWEST_LOSS else known
    if len(drawn) == 0:
        return None
    accuracy_R = drawn.tasks[task].accuracy_R
    counts_BxR = resample_counts(len(drawn), resamples, rng, drawn.run or None)
    weight_BxR = np.concatenate([np.ones((1, len(drawn))), counts_BxR])
    if through == HIGHEST_ACCURACY:
        beaten_BxR = (weight_BxR > 0) @ beaten_by(drawn.flops_R, -accuracy_R) > 0
        weight_BxR = weight_BxR * ~beaten_BxR
    x_R, y_R, used_R = np.log(drawn.flops_R), np.log(accuracy_R), weight_BxR[0] > 0
    if np.ptp(x_R[used_R]) < 1e-9:
        return None
    center = x_R[used_R].mean()
    intercept_B, gamma_B, at_B = _fit(x_R - center, y_R, weight_BxR, saturates)
    fitted_F = intercept_B[0] + gamma_B[0] * np.minimum(x_R[used_R] - center, at_B[0])
    variance, error = np.var(y_R[used_R]), np.mean((y_R[used_R] - fitted_F) ** 2)
    return Growth(
        intercept_1B=intercept_B,
        gamma_1B=gamma_B,
        saturation_1B=at_B + center,
        center=float(center),
        flops_F=drawn.flops_R[used_R],
        accuracy_F=accuracy_R[used_R],
        r_squared=float(1 - error / variance) if variance > 0 else 0.0,
        frontier=through,
        tail=expanded_tail(len(set(drawn.run)) if drawn.run else int(used_R.sum()), 2),
    )


def frontier_runs(runs: Runs, task: str, through: str | None = None) -> Runs:
    """The runs a task's power law goes through; `through` as for `fit_growth`."""
    known = _evaluated(runs, task)
    through = through or _default_frontier(known)
    if through == ALL_RUNS:
        return known
    worse_R = known.loss_R if through == LOWEST_LOSS else -known.tasks[task].accuracy_R
    return known.select(on_frontier(known.flops_R, worse_R))


def _evaluated(runs: Runs, task: str) -> Runs:
    return runs.select(runs.tasks[task].accuracy_R > 0)


def _default_frontier(known: Runs) -> str:
    return LOWEST_LOSS if known.measured_R.all() else HIGHEST_ACCURACY


def _fit(x_R, y_R, weight_BxR, saturates: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines, or lines up to a point and level beyond where that is far better: intercept, slope, point."""
    best_B = _fit_to(x_R, y_R, weight_BxR)
    at_B = np.full(len(weight_BxR), np.inf)
    if not saturates:
        return *best_B[:2], at_B
    rows_B = weight_BxR.sum(axis=1)
    intercept_B, slope_B, least_B = best_B
    # One parameter more must pay for itself and give strong evidence besides.
    with np.errstate(divide="ignore"):
        least_B = least_B * np.exp(-(STRONG_BIC + np.log(rows_B)) / rows_B)
    present_BxR = weight_BxR > 0
    for at in np.linspace(x_R.min(), x_R.max(), CANDIDATES):
        below_B = (present_BxR & (x_R < at)).sum(axis=1)
        above_B = (present_BxR & (x_R >= at)).sum(axis=1)
        other = _fit_to(np.minimum(x_R, at), y_R, weight_BxR)
        better_B = (below_B >= LEAST_BELOW) & (above_B >= LEAST_ABOVE) & (other[2] < least_B)
        intercept_B = np.where(better_B, other[0], intercept_B)
        slope_B = np.where(better_B, other[1], slope_B)
        least_B = np.where(better_B, other[2], least_B)
        at_B = np.where(better_B, at, at_B)
    return intercept_B, slope_B, at_B


def _fit_to(x_R, y_R, weight_BxR) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted lines with their sums of squares."""
    intercept_B, slope_B = fit_lines(x_R, y_R, weight_BxR)
    miss_BxR = y_R - intercept_B[:, None] - slope_B[:, None] * x_R
    return intercept_B, slope_B, (weight_BxR * miss_BxR**2).sum(axis=1)
