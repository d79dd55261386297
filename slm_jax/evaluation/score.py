"""Log-likelihood of whole candidates: each distinct unit sequence once, in batches of few shapes."""

from collections.abc import Iterator, Sequence

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.errors import InputError
from slm_jax.model import default_batch_tokens, next_token_loglik, row_multiple
from slm_jax.progress import progress

LENGTH_MULTIPLE = 16
LENGTH_GROWTH = 1.25


def score_candidates(
    model: nnx.Module,
    units: Sequence[np.ndarray],
    *,
    eos: int,
    pad: int,
    vocab_size: int,
    context: int,
    ids: Sequence[str] | None = None,
    batch_tokens: int | None = None,
    mesh: Mesh | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood in nats of each candidate, and its number of units: (loglik_C float64, n_C int64).

    A candidate u_1 .. u_n scores sum_t log p(u_t | EOS, u_1 .. u_{t-1}): EOS is the start symbol, a terminal
    EOS is not scored (Cuervo & Marxer 2024, after Lakhotia et al. 2021). `model` is a causal NNX module
    tokens_BxL -> logits_BxLxV. It reads EOS and all units but the last, so n may reach `context`.

    Each distinct sequence is scored once, so identical candidates tie exactly. Results are in the caller's
    order and do not depend on batching beyond float rounding. `ids` name the candidates in errors. With a
    `mesh`, the rows of a batch are spread over its `data` and `fsdp` axes.

    Raises InputError naming a candidate that is empty, is longer than the context, holds an id that is no
    unit, or has no finite score.
    """
    names = ids if ids is not None else [f"number {index}" for index in range(len(units))]
    units = [np.ascontiguousarray(units_L, dtype=np.int32) for units_L in units]
    for name, units_L in zip(names, units, strict=True):
        _check(name, units_L, eos=eos, pad=pad, vocab_size=vocab_size, context=context)

    place_of: dict[bytes, int] = {}
    place_C = np.array([place_of.setdefault(units_L.tobytes(), len(place_of)) for units_L in units], int)
    distinct = [np.frombuffer(key, np.int32) for key in place_of]
    length_S = np.array([units_L.size for units_L in distinct], int)

    batches = list(_plan(length_S, context, batch_tokens or default_batch_tokens(), row_multiple(mesh)))
    tokens = (_pad_rows([distinct[s] for s in rows], shape, eos, pad) for rows, shape in batches)
    loglik_S = np.zeros(len(distinct))
    with progress(total=len(distinct), desc="scoring", unit="candidates", leave=False) as bar:
        scored = next_token_loglik(model, tokens, vocab_size=vocab_size, mesh=mesh)
        for (rows, (_, length)), loglik_BxL in zip(batches, scored, strict=True):
            is_unit_RxL = np.arange(length) < length_S[rows, None]
            loglik_S[rows] = np.sum(loglik_BxL[: len(rows)], axis=1, where=is_unit_RxL)
            bar.update(len(rows))
    for name, loglik in zip(names, loglik_S[place_C], strict=True):
        if not np.isfinite(loglik):
            raise InputError(
                f"candidate {name} scores {loglik}: the model is broken; use an earlier checkpoint"
            )
    return loglik_S[place_C], length_S[place_C]


def bucket_length(length: int, context: int) -> int:
    """The padded length for a sequence: multiples of 16, each the least at 1.25 times the one before or over.

    Near-geometric steps bound padding and keep the number of compiled shapes logarithmic in the context.
    """
    bucket = LENGTH_MULTIPLE
    while bucket < length:
        bucket = -(-int(bucket * LENGTH_GROWTH) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    return min(bucket, context)


def _plan(
    length_S: np.ndarray, context: int, batch_tokens: int, multiple: int
) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Yields (rows, (B, L)): longest first: all batches but the last are full; that one is halved to fit."""
    order_S = np.argsort(-length_S, kind="stable")
    start = 0
    while start < order_S.size:
        length = bucket_length(length_S[order_S[start]], context)
        size = max(1, batch_tokens // (length * multiple))
        rows = order_S[start : start + size * multiple]
        while size // 2 * multiple >= rows.size:
            size //= 2
        yield rows, (size * multiple, length)
        start += rows.size


def _pad_rows(sequences: list[np.ndarray], shape: tuple[int, int], eos: int, pad: int) -> np.ndarray:
    """EOS, then units, then PAD on the right where a causal model's earlier outputs cannot see it."""
    rows, length = shape
    tokens_BxT = np.full((rows, length + 1), pad, np.int32)
    tokens_BxT[:, 0] = eos
    for row_T, units_L in zip(tokens_BxT, sequences, strict=False):
        row_T[1 : 1 + units_L.size] = units_L
    return tokens_BxT


def _check(name: str, units_L: np.ndarray, *, eos: int, pad: int, vocab_size: int, context: int) -> None:
    if units_L.size == 0:
        raise InputError(f"candidate {name} has no units; remove its pair or tokenize its audio again")
    if units_L.size > context:
        raise InputError(
            f"candidate {name} has {units_L.size} units but the model's context is {context}; "
            "use a model with a longer context or remove the pair"
        )
    no_unit_L = (units_L < 0) | (units_L >= vocab_size) | (units_L == eos) | (units_L == pad)
    if no_unit_L.any():
        raise InputError(
            f"candidate {name} holds the id {units_L[no_unit_L][0]}, which is not a unit (vocabulary "
            f"{vocab_size}, EOS {eos}, PAD {pad}); use the tokenizer the model was trained with"
        )
