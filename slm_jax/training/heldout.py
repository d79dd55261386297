"""Upstream loss: mean nats per token on held-out data."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from slm_jax.data import UnitDataset
from slm_jax.errors import InputError
from slm_jax.model import Batch, default_batch_tokens, row_multiple, strided_windows, target_loglik
from slm_jax.progress import progress


@dataclasses.dataclass(frozen=True)
class HeldoutLoss:
    """Of every record with the EOS that ends it: its negative log-likelihood (float64) and its tokens."""

    nats_R: np.ndarray
    tokens_R: np.ndarray

    @property
    def tokens(self) -> int:
        return int(self.tokens_R.sum(dtype=np.int64))

    @property
    def nats_per_token(self) -> float:
        return float(self.nats_R.sum() / self.tokens)


def heldout_loss(
    model: nnx.Module,
    dataset: UnitDataset,
    split: str,
    *,
    context: int,
    stride: int | None = None,
    batch_tokens: int | None = None,
    mesh: Mesh | None = None,
) -> HeldoutLoss:
    """The negative log-likelihood of every token of the split's stream, each scored exactly once.

    The stream is the records in order, each followed by EOS (scored as any token), and before the first an
    EOS, as if a record had just ended. It is cut into windows of `context` tokens (`strided_windows`): with a
    stride, every token after the first window sees at least context - stride + 1 tokens. By default windows
    do not overlap and are those that training has with the packing "stream": the first target of a window of
    context + 1 tokens is predicted from the one token before it.

    Raises InputError for a split without records, or a stride outside 1..context.
    """
    length_R = dataset.lengths(split) + 1
    end_R = np.cumsum(length_R, dtype=np.int64)
    if not end_R.size:
        raise InputError(f"the held-out split {split!r} has no records; choose another split")
    total, stride = int(end_R[-1]), context if stride is None else stride
    start_W, scored_W = strided_windows(total, context, stride)
    multiple = row_multiple(mesh)
    rows = min((batch_tokens or default_batch_tokens()) // context, start_W.size)
    rows = max(1, rows // multiple) * multiple
    windows = _windows(dataset, split, end_R, rows=rows, context=context, stride=stride)
    batches = (Batch(tokens_BxT[:, :-1], tokens_BxT[:, 1:]) for tokens_BxT in windows)
    nats_R, done = np.zeros(end_R.size), 0
    with progress(total=total, desc=f"loss on {split}", unit="tokens", leave=False) as bar:
        for first, loglik_BxL in zip(
            range(0, start_W.size, rows),
            target_loglik(model, batches, vocab_size=dataset.vocab_size, mesh=mesh),
            strict=True,
        ):
            scored_B = scored_W[first : first + rows]
            is_scored_BxL = np.arange(context) >= scored_B[:, None]
            loglik_N = loglik_BxL[: scored_B.size][is_scored_BxL][: total - done]  # the rest fills the batch
            record_N = np.searchsorted(end_R, np.arange(done, done + loglik_N.size), side="right")
            np.subtract.at(nats_R, record_N, loglik_N.astype(np.float64))
            done += loglik_N.size
            bar.update(loglik_N.size)
    return HeldoutLoss(nats_R, length_R)


def _windows(
    dataset: UnitDataset, split: str, end_R: np.ndarray, *, rows: int, context: int, stride: int
) -> Iterator[np.ndarray]:
    """Yields tokens_BxT (T = context + 1) until the stream ends, which EOS then fills up to a whole batch."""
    size = (rows - 1) * stride + context + 1
    held_N, record = np.array([dataset.eos], np.int32), 0
    windows = strided_windows(int(end_R[-1]), context, stride)[0].size
    for start in range(0, windows * stride, rows * stride):
        # the records that reach the end of this batch
        stop = int(np.searchsorted(end_R, start + size - 1)) + 1
        records = dataset.read(split, np.arange(record, min(stop, end_R.size)))
        record = max(record, stop)
        parts = [np.append(units_L, dataset.eos) for units_L in records]
        held_N = np.concatenate([held_N, *parts]).astype(np.int32)
        filled_N = np.pad(held_N[:size], (0, max(0, size - held_N.size)), constant_values=dataset.eos)
        yield np.lib.stride_tricks.sliding_window_view(filled_N, context + 1)[::stride]
        held_N = held_N[rows * stride :]
