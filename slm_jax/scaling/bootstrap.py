"""Intervals: a bootstrap over runs, shared by everything that is estimated from a table."""

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
PLAIN_TAIL = (1 - CONFIDENCE) / 2
MIN_SPARE_RUNS = 2  # beyond one a parameter: with fewer, resampling says next to nothing
MIN_SAMPLES = 20

Estimate = dict  # {"value": float, "low": float | None, "high": float | None}


def resample_counts(runs: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each run is drawn in each resample: counts_BxR, R draws with replacement a resample."""
    return rng.multinomial(runs, np.full(runs, 1.0 / runs), size=resamples).astype(float)


def expanded_tail(runs: int, parameters: int) -> float | None:
    """Share of resamples beyond each end of the 95 % expanded percentile interval (Hesterberg 2015).

    For averages and lines through few points the plain percentile interval is too narrow: resampling R runs
    to fit P parameters loses the factor sqrt((R - P) / R) and takes normal for Student quantiles. Reading the
    percentiles further out makes up for both. None when there are too few runs for any interval.
    """
    spare = runs - parameters
    if spare < MIN_SPARE_RUNS:
        return None
    student = stats.t.ppf(0.5 + CONFIDENCE / 2, spare)
    return float(stats.norm.cdf(-np.sqrt(runs / spare) * student))


def plain_tail(runs: int, parameters: int) -> float | None:
    """Share of resamples beyond each end of the plain percentile interval; None with too few runs."""
    return PLAIN_TAIL if runs - parameters >= MIN_SPARE_RUNS else None


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
