"""Intervals: a bootstrap over runs, shared by everything that is estimated from a table."""

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MIN_SPARE_RUNS = 2  # beyond one a parameter

Estimate = dict  # {"value": float, "low": float | None, "high": float | None}


def resample_counts(runs: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each run is drawn in each resample: counts_BxR, R draws with replacement a resample."""
    return rng.multinomial(runs, np.full(runs, 1.0 / runs), size=resamples).astype(float)


def estimate(value: float, samples_B: np.ndarray, runs: int, parameters: int) -> Estimate:
    """An estimate with its 95 % expanded percentile interval (Hesterberg 2015, section 5.2).

    The plain percentile interval is too narrow for a dozen runs: resampling R runs to fit P parameters loses
    the factor sqrt((R - P) / R) and takes normal for Student quantiles. The expanded one reads the
    percentiles further out to make up for both. There is no interval (low and high None) with fewer than two
    runs to spare, where resampling says next to nothing, or when half of the resamples gave no value.
    """
    finite_B = samples_B[np.isfinite(samples_B)]
    spare = runs - parameters
    if spare < MIN_SPARE_RUNS or len(finite_B) < 0.5 * len(samples_B) or len(finite_B) < 20:
        return {"value": float(value), "low": None, "high": None}
    student = stats.t.ppf(0.5 + CONFIDENCE / 2, spare)
    tail = stats.norm.cdf(-np.sqrt(runs / spare) * student)
    low, high = np.quantile(finite_B, [tail, 1 - tail])
    return {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
