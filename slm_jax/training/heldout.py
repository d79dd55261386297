"""Upstream loss: mean nats per token on held-out data."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.data import UnitDataset
from slm_jax.errors import InputError
from slm_jax.model import default_batch_tokens, next_token_loglik, row_multiple
from slm_jax.progress import progress


@dataclasses.dataclass(frozen=True)
class HeldoutLoss:
    nats_per_token: float
    tokens: int


def heldout_loss(
    model: nnx.Module,
    dataset: UnitDataset,
    split: str,
    *,
    context: int,
    batch_tokens: int | None = None,
    mesh: Mesh | None = None,
) -> HeldoutLoss:
    """Mean negative log-likelihood over every token of the split's stream, each scored exactly once.

    The stream is the records in order, each followed by EOS (scored as any token). It is cut into windows
    of `context` targets. As in a training window of context + 1 tokens, the first target of a window is
    predicted from the one token before it; the first token of the stream from an EOS, as if a record had
    just ended. So windows share one token and need no overlap, and the loss is the training objective's.

    Raises InputError for a split without records.
    """
    total = int(np.sum(dataset.lengths(split) + 1, dtype=np.int64))
    if total == 0:
        raise InputError(f"the held-out split {split!r} has no records; choose another split")
    multiple = row_multiple(mesh)
    rows = min((batch_tokens or default_batch_tokens()) // context, -(-total // context))
    rows = max(1, rows // multiple) * multiple
    batches = _windows(dataset, split, rows=rows, context=context)
    sum_loglik, scored = 0.0, 0
    with progress(total=total, desc=f"loss on {split}", unit="tokens", leave=False) as bar:
        for loglik_BxL in next_token_loglik(model, batches, vocab_size=dataset.vocab_size, mesh=mesh):
            targets = min(loglik_BxL.size, total - scored)  # the stream fills windows in reading order
            sum_loglik += loglik_BxL.ravel()[:targets].sum()
            scored += targets
            bar.update(targets)
    return HeldoutLoss(nats_per_token=float(-sum_loglik / total), tokens=total)


def _windows(dataset: UnitDataset, split: str, *, rows: int, context: int) -> Iterator[np.ndarray]:
    """Yields tokens_BxT (T = context + 1) until the stream ends, which EOS then fills up to a whole batch."""
    end_R = np.cumsum(dataset.lengths(split) + 1, dtype=np.int64)
    size = rows * context
    held_N, record = np.array([dataset.eos], np.int32), 0
    for start in range(0, int(end_R[-1]), size):
        stop = int(np.searchsorted(end_R, start + size)) + 1  # the records that reach the end of this batch
        records = dataset.read(split, np.arange(record, min(stop, end_R.size)))
        record = max(record, stop)
        parts = [np.append(units_L, dataset.eos) for units_L in records]
        held_N = np.concatenate([held_N, *parts]).astype(np.int32)
        filled_N = np.pad(
            held_N[: size + 1], (0, max(0, size + 1 - held_N.size)), constant_values=dataset.eos
        )
        yield np.concatenate([filled_N[:-1].reshape(rows, context), filled_N[context::context, None]], axis=1)
        held_N = held_N[size:]
