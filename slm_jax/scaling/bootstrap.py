"""Intervals: resampled tables and what is read off them, shared by everything that is estimated."""

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MIN_SPARE_RUNS = 2  # beyond one a parameter: with fewer, resampling says next to nothing
MIN_SAMPLES = 20

Estimate = dict  # {"value": float, "low": float | None, "high": float | None}


def resample_counts(
    runs: int, resamples: int, rng: np.random.Generator, cluster_R: np.ndarray | None = None
) -> np.ndarray:
    """How often each row is drawn in each resample: counts_BxR, as many draws with replacement as there are.

    With `cluster_R`, the run each row belongs to, whole runs are drawn.
    """
    if cluster_R is None:
        return rng.multinomial(runs, np.full(runs, 1.0 / runs), size=resamples).astype(float)
    _, cluster_R = np.unique(cluster_R, return_inverse=True)
    return resample_counts(int(cluster_R.max()) + 1, resamples, rng)[:, cluster_R]


def redrawn_errors(residual_R: np.ndarray, parameters: int, resamples: int, rng) -> np.ndarray:
    """Errors of new tables, drawn with replacement from the residuals of a fit: error_BxR.

    A fit by (nearly) absolute values passes through as many points as it has parameters. Their residuals are
    zero by construction, not for want of noise, and are left out.
    """
    kept = np.argsort(np.abs(residual_R), kind="stable")[min(parameters, len(residual_R) - 1) :]
    return residual_R[rng.choice(kept, size=(resamples, len(residual_R)))]


def expanded_tail(runs: int, parameters: int) -> float | None:
    """Share of resamples beyond each end of the 95 % expanded percentile interval (Hesterberg 2015).

    The plain percentile interval is too narrow with few runs: resampling R runs to fit P parameters loses the
    factor sqrt((R - P) / R) and takes normal for Student quantiles. Reading the percentiles further out makes
    up for both. None when there are too few runs.
    """
    spare = runs - parameters
    if spare < MIN_SPARE_RUNS:
        return None
    student = stats.t.ppf(0.5 + CONFIDENCE / 2, spare)
    return float(stats.norm.cdf(-np.sqrt(runs / spare) * student))


def estimate(value: float, samples_B: np.ndarray, tail: float | None) -> Estimate:
    """An estimate with the interval that leaves the share `tail` of its resamples beyond each end.

    The interval is widened to hold the estimate where it does not. There is none (low and high None) without
    a tail, or when most resamples gave no value.
    """
    finite_B = samples_B[np.isfinite(samples_B)]
    if tail is None or len(finite_B) < max(0.5 * len(samples_B), MIN_SAMPLES):
        return {"value": float(value), "low": None, "high": None}
    low, high = np.quantile(finite_B, [tail, 1 - tail])
    return {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
