"""The strings of units that a unigram model starts from.

SentencePiece finds them by itself, but version 0.2.3 searches bytes instead of characters and so misses most
of them wherever characters share their first byte, as those that stand for units do: it was measured to find
252 pieces where 0.2.2 found 6,742.
"""

from collections.abc import Iterator, Sequence

import numpy as np

MOST = 1_000_000  # SentencePiece's own limit


def seed_strings(
    sentences: Sequence[np.ndarray], longest: int, most: int = MOST
) -> Iterator[tuple[np.ndarray, int]]:
    """Yields (units_n, count) of the repeated strings of 2 to `longest` units, the largest n * count first.

    Only strings that go on in more than one way, as in Kudo & Richardson (2018): one that always has the same
    unit after it is part of a longer one.
    """
    stream_N = np.concatenate(sentences).astype(np.int64)
    left_N = np.concatenate([np.arange(len(units_L), 0, -1) for units_L in sentences])  # in the sentence
    k = int(stream_N.max()) + 1
    starts_M, strings_M, counts_U, first_U = np.arange(len(stream_N)), stream_N, np.bincount(stream_N), None
    found = []
    for length in range(2, longest + 2):
        alive_M = (counts_U[strings_M] > 1) & (left_N[starts_M] >= length)
        starts_M = starts_M[alive_M]
        longer_M = strings_M[alive_M] * k + stream_N[starts_M + length - 1]
        keys, first, strings_M, counts = np.unique(
            longer_M, return_index=True, return_inverse=True, return_counts=True
        )
        if first_U is not None:
            most_frequent_U = np.zeros_like(counts_U)
            np.maximum.at(most_frequent_U, keys // k, counts)
            branching = np.flatnonzero((counts_U > 1) & (most_frequent_U < counts_U))
            found.append(np.stack([first_U[branching], counts_U[branching], 0 * branching + length - 1], 1))
        counts_U, first_U = counts, starts_M[first]
    starts_S, counts_S, lengths_S = np.concatenate(found).T
    for index in np.argsort(-counts_S * lengths_S, kind="stable")[:most]:
        start, length = starts_S[index], lengths_S[index]
        yield stream_N[start : start + length], int(counts_S[index])
