"""Training batches: random access all the way, so that the position to checkpoint is the step alone."""

from collections.abc import Iterator

import numpy as np

from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.errors import InputError


class Windows:
    """The windows of a split's stream: every record followed by EOS, cut at every `context` tokens.

    Window i is tokens i * context .. (i + 1) * context inclusive (int32, context + 1 of them): consecutive
    windows share one token, so that each token but the stream's first is a target once an epoch. The tail
    that does not fill a window is left out.
    """

    def __init__(self, dataset: UnitDataset, split: str, context: int):
        self.dataset, self.split, self.context = dataset, split, context
        self._end_R = np.cumsum(dataset.lengths(split).astype(np.int64) + 1)
        self.tokens = int(self._end_R[-1]) if self._end_R.size else 0
        if len(self) < 1:
            raise InputError(
                f"{dataset.directory}: split {split} has {self.tokens} tokens, fewer than one window of "
                f"context + 1 = {context + 1}; use more data or a shorter context"
            )

    def __len__(self) -> int:
        return max(0, (self.tokens - 1) // self.context)

    def __getitem__(self, index: int) -> np.ndarray:
        start, stop = index * self.context, (index + 1) * self.context + 1
        first, last = np.searchsorted(self._end_R, (start, stop - 1), side="right")
        stream = []
        for units_L in self.dataset.read(self.split, np.arange(first, last + 1)):
            stream += [units_L, (self.dataset.eos,)]
        skip = start - (self._end_R[first - 1] if first else 0)
        return np.concatenate(stream)[skip : skip + self.context + 1].astype(np.int32)


def training_batches(
    windows: Windows, *, batch_size: int, seed: int, first_step: int = 0, host: int = 0, hosts: int = 1
) -> Iterator[np.ndarray]:
    """Yields tokens_BxT (T = context + 1) for first_step, first_step + 1, ... without end.

    Windows are permuted anew every epoch. Step s takes rows s * batch_size .. (s + 1) * batch_size - 1 of the
    permuted sequence whatever the number of hosts; host h of H reads every H-th of them, from h.
    """
    import grain  # a second to import, which processes that only encode are spared

    rows = grain.MapDataset.source(windows).shuffle(seed=seed).repeat()
    batches = rows[host::hosts].batch(batch_size // hosts, drop_remainder=True)
    reading = grain.ReadOptions(num_threads=1, prefetch_buffer_size=8)
    iterator = iter(batches.to_iter_dataset(reading))
    iterator.set_state({"next_index": first_step})
    return iterator
