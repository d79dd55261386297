"""Rows to batches of few shapes with little padding."""

from collections.abc import Iterator, Sequence

import numpy as np

from slm_jax.evaluation.rows import Row
from slm_jax.model import Batch

LENGTH_MULTIPLE = 4
MOST_LENGTHS = 12  # each is a shape to compile
A_SHAPE = 50_000  # positions read in about the time that compiling for a shape takes, by a small model on CPU


def bucket_lengths(length_R: np.ndarray, longest: int) -> np.ndarray:
    """The lengths that rows are padded to, increasing: multiples of 4, or `longest`, that read the least.

    As many as save more reading than compiling for one more length costs, at most 12: the best of each number
    by dynamic programming over the multiples.
    """
    rounded_R = np.minimum(-(-length_R // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, longest)
    edge_I, rows_I = np.unique(rounded_R, return_counts=True)
    below_I = np.concatenate([[0], np.cumsum(rows_I)])
    cost_I = edge_I * below_I[1:]  # of the rows up to edge i with one length, and below: with one more each
    chosen = [np.zeros(edge_I.size, int)]
    while len(chosen) < MOST_LENGTHS:
        # (longest below, longest): what is read if the rows between the two are padded to the longer one
        read_IxI = np.concatenate([[0], cost_I[:-1]])[:, None] + edge_I * np.maximum(
            below_I[1:] - below_I[:-1, None], 0
        )
        read_IxI[np.tril_indices(edge_I.size, -1)] = np.iinfo(read_IxI.dtype).max
        if cost_I[-1] - read_IxI[:, -1].min() < A_SHAPE:
            break
        chosen.append(read_IxI.argmin(axis=0))
        cost_I = read_IxI.min(axis=0)
    lengths, last = [], edge_I.size - 1
    for start_I in reversed(chosen):
        lengths.append(edge_I[last])
        last = start_I[last] - 1
        if last < 0:
            break
    return np.array(lengths[::-1])


def plan(
    length_R: np.ndarray, *, longest: int, batch_tokens: int, multiple: int
) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Yields (rows, (B, L)), longest first; all batches but the last are full, and that one is halved to fit.

    B is a multiple of `multiple`, and B * L about `batch_tokens`.
    """
    if not length_R.size:
        return
    lengths_B = bucket_lengths(length_R, longest)
    order_R = np.argsort(-length_R, kind="stable")
    start = 0
    while start < order_R.size:
        length = int(lengths_B[np.searchsorted(lengths_B, length_R[order_R[start]])])
        size = max(1, batch_tokens // (length * multiple))
        rows = order_R[start : start + size * multiple]
        while size // 2 * multiple >= rows.size:
            size //= 2
        yield rows, (size * multiple, length)
        start += rows.size


def pad_rows(rows: Sequence[Row], shape: tuple[int, int], pad: int) -> Batch:
    """Fills rows up on the right, where nothing that counts sees it."""

    def filled(arrays: list[np.ndarray], value: int) -> np.ndarray:
        filled_BxL = np.full(shape, value, np.int32)
        for row_L, values in zip(filled_BxL, arrays, strict=False):
            row_L[: values.size] = values
        return filled_BxL

    tokens_BxL = filled([row.tokens_L for row in rows], pad)
    target_BxL = filled([row.target_M for row in rows], pad)
    if rows[0].source_M is None:
        return Batch(tokens_BxL, target_BxL)
    return Batch(
        tokens_BxL,
        target_BxL,
        filled([row.source_M for row in rows], 0),
        filled([row.segment_L for row in rows], -1),
        filled([row.position_L for row in rows], 0),
    )
