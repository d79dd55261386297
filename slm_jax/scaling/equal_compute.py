"""Two groups of runs at equal compute: the mean difference of matched runs, and how sure it is."""

import numpy as np
from scipy import stats

from slm_jax.scaling.bootstrap import CONFIDENCE, Estimate, estimate, resample_counts

MIN_CLUSTERS = 2


def mean_difference(
    difference_KxP: np.ndarray, cluster_K: np.ndarray, stratum_P: np.ndarray, *, resamples: int, seed: int
) -> Estimate:
    """The mean over K matched runs of the difference on P questions, and its interval.

    The mean over questions is that of the means of their strata: the strata are a fixed set.

    Args:
      difference_KxP: of the matched runs, on each question that all were asked.
      cluster_K: runs that are no independent evidence, such as those of one size and seed, share a number.
      stratum_P: the phenomenon of each question.

    Returns an estimate, without an interval when all runs are of one cluster.

    Questions and clusters are two sources of chance, and each has an interval while the other is as it was:
    the questions by a bootstrap within their strata, the same draw for all runs; the mean of C clusters by
    Student's t with C - 1 degrees of freedom and its cluster-robust standard error. The distances to the ends
    of the two add up in squares (Zou & Donner 2008). The noise of single answers is in both, so that the
    interval is a little too wide. Clusters are not resampled, as percentiles of so few end too early: of two
    they held the truth in 93 % (docs/comparing.md).
    """
    rng = np.random.default_rng(seed)
    _, cluster_K = np.unique(cluster_K, return_inverse=True)
    _, stratum_P, size_F = np.unique(stratum_P, return_inverse=True, return_counts=True)
    weight_P = 1 / (len(size_F) * size_F[stratum_P])
    run_K = difference_KxP @ weight_P
    value, clusters = run_K.mean(), int(cluster_K.max()) + 1
    if clusters < MIN_CLUSTERS:
        return estimate(value, np.array([]), None)
    count_BxP = np.empty((resamples, len(stratum_P)))
    for stratum, size in enumerate(size_F):
        count_BxP[:, stratum_P == stratum] = resample_counts(int(size), resamples, rng)
    by_questions_B = count_BxP @ (weight_P * difference_KxP.mean(axis=0))
    questions = estimate(value, by_questions_B, (1 - CONFIDENCE) / 2)
    if questions["low"] is None:
        return questions
    reach = _reach(run_K - value, cluster_K)
    return {
        "value": questions["value"],
        "low": float(value - np.hypot(value - questions["low"], reach)),
        "high": float(value + np.hypot(questions["high"] - value, reach)),
    }


def _reach(error_K: np.ndarray, cluster_K: np.ndarray) -> float:
    """Half of Student's interval of a mean whose errors are independent between clusters only."""
    share_C = np.bincount(cluster_K, error_K) / len(error_K)
    spare = len(share_C) - 1
    standard_error = np.sqrt((share_C**2).sum() * len(share_C) / spare)
    return stats.t.ppf(0.5 + CONFIDENCE / 2, spare) * standard_error
