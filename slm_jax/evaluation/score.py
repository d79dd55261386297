"""Log-likelihood of whole candidates: each distinct unit sequence once, in batches of few shapes."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.errors import InputError
from slm_jax.evaluation.batches import pad_rows, plan
from slm_jax.evaluation.prefixes import Sharing, share_prefixes
from slm_jax.evaluation.rows import Row, Window, shared_row, window_row, windows
from slm_jax.model import default_batch_tokens, row_multiple, target_loglik
from slm_jax.progress import progress

OVERFLOWS = ("error", "window")


@dataclasses.dataclass(frozen=True)
class Scores:
    """Of every candidate, in the caller's order.

    Attributes:
      loglik_C: its log-likelihood in nats, float64.
      units_C: its number of units, int64.
      unit_loglik: the log-likelihood of each of its units, float32_N.
      stride: of the windows, if there are any.
      work: how it was done: counts of distinct candidates, of those longer than the context and of those that
        share a beginning, the share of positions that sharing (less what windows read twice) saves, and the
        share of padding in what was read.
    """

    loglik_C: np.ndarray
    units_C: np.ndarray
    unit_loglik: list[np.ndarray]
    stride: int
    work: dict


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
    overflow: str = "error",
    stride: int | None = None,
    share: bool = True,
) -> Scores:
    """Log-likelihood of each candidate.

    A candidate u_1 .. u_n scores sum_t log p(u_t | EOS, u_1 .. u_{t-1}): EOS is the start symbol, a terminal
    EOS is not scored (Cuervo & Marxer 2024, after Lakhotia et al. 2021). `model` is a causal NNX module
    with `hidden` and `logits` as `Transformer` has. It reads EOS and all units but the last, so n may reach
    `context`. A longer candidate is an error or, with `overflow` "window", read in windows of `context`
    tokens, one every `stride` (default: half the context): each unit is scored once, and the units after the
    first window see at least context - stride + 1 tokens before them.

    Each distinct sequence is scored once, so identical candidates tie exactly; with `share`, beginnings that
    sequences have in common are read once where it pays (`prefixes.py`). Results do not depend on order,
    batching, sharing or mesh beyond float rounding. `ids` name the candidates in errors. With a `mesh`, the
    rows of a batch are spread over its `data` and `fsdp` axes.

    Raises InputError naming a candidate that is empty, is longer than the context, holds an id that is no
    unit, or has no finite score; and for an unknown `overflow` or a stride outside 1..context.
    """
    if overflow not in OVERFLOWS:
        raise InputError(f"overflow is {overflow!r}: choose one of {', '.join(OVERFLOWS)}")
    if stride is None:
        stride = max(1, context // 2)
    names = ids if ids is not None else [f"number {index}" for index in range(len(units))]
    units = [np.ascontiguousarray(units_N, dtype=np.int32) for units_N in units]
    most = context if overflow == "error" else None
    for name, units_N in zip(names, units, strict=True):
        _check(name, units_N, eos=eos, pad=pad, vocab_size=vocab_size, most=most)

    place_of: dict[bytes, int] = {}
    place_C = np.array([place_of.setdefault(units_N.tobytes(), len(place_of)) for units_N in units], int)
    distinct = [np.frombuffer(key, np.int32) for key in place_of]
    alone, shared = range(len(distinct)), []
    if share:
        shared, alone = share_prefixes(distinct, [s for s in alone if distinct[s].size <= context], context)
        alone += [s for s, units_N in enumerate(distinct) if units_N.size > context]
    single = [window for s in alone for window in windows(s, distinct[s].size, context, stride)]

    scored = [np.empty(units_N.size, np.float32) for units_N in distinct]
    engine = functools.partial(
        _fill,
        scored,
        model,
        pad=pad,
        vocab_size=vocab_size,
        context=context,
        batch_tokens=batch_tokens or default_batch_tokens(),
        mesh=mesh,
    )
    with progress(total=len(single) + len(shared), desc="scoring", unit="rows", leave=False) as bar:
        read = engine(single, functools.partial(window_row, units=distinct, eos=eos), update=bar.update)
        read += engine(shared, functools.partial(shared_row, units=distinct, eos=eos), update=bar.update)
    loglik_S = np.array([loglik_N.sum(dtype=np.float64) for loglik_N in scored])
    for name, loglik in zip(names, loglik_S[place_C], strict=True):
        if not np.isfinite(loglik):
            raise InputError(
                f"candidate {name} scores {loglik}: the model is broken; use an earlier checkpoint"
            )
    size_C = np.array([units_N.size for units_N in units], int)
    wanted, filled = sum(map(len, distinct)), sum(item.length for item in (*single, *shared))
    return Scores(
        loglik_C=loglik_S[place_C],
        units_C=size_C,
        unit_loglik=[scored[place] for place in place_C],
        stride=stride,
        work={
            "distinct_candidates": len(distinct),
            "windowed_candidates": int((size_C > context).sum()),
            "sharing_a_beginning": sum(len(sharing.members) for sharing in shared),
            "positions_saved_by_sharing": 1 - filled / wanted,
            "padding": 1 - filled / read,
        },
    )


def _fill(
    scored: list[np.ndarray],
    model: nnx.Module,
    items: Sequence[Window] | Sequence[Sharing],
    row_of: Callable[[Window | Sharing], Row],
    *,
    pad: int,
    vocab_size: int,
    context: int,
    batch_tokens: int,
    mesh: Mesh | None,
    update: Callable[[int], object],
) -> int:
    """Scores the rows of `items` into `scored`; returns the positions read, padding included."""
    length_R = np.array([item.length for item in items], int)
    batches = list(plan(length_R, longest=context, batch_tokens=batch_tokens, multiple=row_multiple(mesh)))
    ahead, behind = itertools.tee([row_of(items[r]) for r in rows_B] for rows_B, _ in batches)
    padded = (pad_rows(rows, shape, pad) for rows, (_, shape) in zip(ahead, batches, strict=True))
    logliks = target_loglik(model, padded, vocab_size=vocab_size, mesh=mesh)
    for rows, loglik_BxM in zip(behind, logliks, strict=True):
        for row, loglik_M in zip(rows, loglik_BxM, strict=False):
            for span in row.spans:
                stop = span.start + span.units
                scored[span.sequence][span.first : span.first + span.units] = loglik_M[span.start : stop]
        update(len(rows))
    return sum(rows * length for _, (rows, length) in batches)


def _check(name: str, units_N: np.ndarray, *, eos: int, pad: int, vocab_size: int, most: int | None) -> None:
    if units_N.size == 0:
        raise InputError(f"candidate {name} has no units; remove its pair or tokenize its audio again")
    if most is not None and units_N.size > most:
        raise InputError(
            f"candidate {name} has {units_N.size} units but the model's context is {most}; use a model with "
            'a longer context, remove the pair, or score long candidates in windows (overflow "window")'
        )
    no_unit_N = (units_N < 0) | (units_N >= vocab_size) | (units_N == eos) | (units_N == pad)
    if no_unit_N.any():
        raise InputError(
            f"candidate {name} holds the id {units_N[no_unit_N][0]}, which is not a unit (vocabulary "
            f"{vocab_size}, EOS {eos}, PAD {pad}); use the tokenizer the model was trained with"
        )
