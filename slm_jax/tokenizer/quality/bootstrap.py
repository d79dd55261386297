"""Intervals of measures that are made of counts: whole recordings are drawn anew."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse

RESAMPLES = 200
NORMAL_95 = 1.96


def joint_counts(labels: Sequence[np.ndarray], units: Sequence[np.ndarray], shape: tuple[int, int]):
    """Sparse counts_RxC of each recording, C = L * K: label l and unit k of a frame count in l * K + k."""
    pairs = [
        labels_T.astype(np.int64) * shape[1] + units_T
        for labels_T, units_T in zip(labels, units, strict=True)
    ]
    rows = np.repeat(np.arange(len(pairs)), [len(pairs_T) for pairs_T in pairs])
    columns = np.concatenate(pairs)
    size = len(pairs), shape[0] * shape[1]
    return scipy.sparse.coo_array((np.ones(len(columns)), (rows, columns)), shape=size).tocsr()


def with_intervals(
    counts_RxC,
    shape: tuple[int, int],
    measures: dict[str, Callable[[np.ndarray], float]],
    rng: np.random.Generator,
) -> dict:
    """NAME and NAME_interval (95%) of each measure of counts_LxK, summed over recordings.

    The interval is the value and 1.96 bootstrap standard errors to both sides, inside 0..1. Percentiles of
    the resamples would not do: a resample has fewer different recordings, and seems to tell more.
    """
    recordings = counts_RxC.shape[0]

    def values(weights_R) -> list[float]:
        counts_LxK = (weights_R @ counts_RxC).reshape(shape)
        return [measure(counts_LxK) for measure in measures.values()]

    draws_BxR = rng.multinomial(recordings, np.full(recordings, 1 / recordings), size=RESAMPLES)
    errors = np.std([values(weights_R) for weights_R in draws_BxR], axis=0, ddof=1)
    result = {}
    for name, value, error in zip(measures, values(np.ones(recordings)), errors, strict=True):
        low, high = np.clip([value - NORMAL_95 * error, value + NORMAL_95 * error], 0, 1)
        result |= {name: value, f"{name}_interval": [float(low), float(high)]}
    return result
