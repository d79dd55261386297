"""Two groups of runs at equal compute: the mean difference of matched runs, and how sure it is."""

import numpy as np
from scipy import stats

from slm_jax.scaling.bootstrap import CONFIDENCE, Estimate, estimate, resample_counts

MIN_CLUSTERS = 2


def mean_difference(
    difference_KxP: np.ndarray, cluster_K: np.ndarray, stratum_P: np.ndarray, *, resamples: int, seed: int
) -> Estimate:
    """The mean over K matched runs of the difference on P questions, and its two-way bootstrap interval.

    The mean over questions is that of the means of their strata: the strata are a fixed set.

    Args:
      difference_KxP: of the matched runs, on each question that all were asked.
      cluster_K: runs that are no independent evidence, such as those of one size and seed, share a number.
      stratum_P: the phenomenon of each question.

    Returns an estimate, without an interval when all runs are of one cluster.

    Questions and clusters are both resampled, each while the other is as it was, and the two deviations add
    up. The sum of the two variances holds the noise of single answers twice, and so is a little too wide;
    resampling both at once would hold it three times (Owen 2007). The questions are drawn within their
    strata, the same for all runs. The deviations of C clusters are widened by sqrt(C / (C - 1)) and from the
    normal quantile to Student's with C - 1 degrees of freedom: plain percentiles of so few are too narrow
    (Hesterberg 2015).
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
    by_questions_B = count_BxP @ (weight_P * difference_KxP.mean(axis=0)) - value
    count_BxK = resample_counts(len(cluster_K), resamples, rng, cluster_K)
    by_clusters_B = count_BxK @ (run_K - value) / len(run_K)
    samples_B = value + by_questions_B + _few(clusters) * by_clusters_B
    return estimate(value, samples_B, (1 - CONFIDENCE) / 2)


def _few(clusters: int) -> float:
    """By how much the deviations of so few resampled clusters are too small."""
    level = 0.5 + CONFIDENCE / 2
    spare = clusters - 1
    return float(np.sqrt(clusters / spare) * stats.t.ppf(level, spare) / stats.norm.ppf(level))
