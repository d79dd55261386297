"""The rows a run trains on, in the order it sees them: the position to checkpoint is the step alone."""

import contextlib
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from slm_jax.data.loading.documents import PackedDocuments
from slm_jax.data.loading.mixture import Mixture
from slm_jax.data.loading.order import Epochs
from slm_jax.data.loading.windows import Windows
from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.errors import InputError

PACKINGS = ("stream", "documents")
ROWS_PER_READ = 64  # read in one go, as many steps as they are: less to hand from thread to thread
READS_AHEAD = 4


class TrainingRows:
    """An endless, shuffled sequence of rows (context + 1 tokens) from one dataset or a mixture of several.

    Row i is a function of i, the datasets and the arguments alone: `Mixture` maps i to a dataset and an index
    in it; the index, to an epoch of the dataset and a place in the epoch's permutation of the dataset's rows.
    So any row can be read at any time, rows are shuffled globally without a buffer, and neither restarts nor
    the number of hosts change a batch.

    Args:
      datasets: of one tokenizer.
      split: the split of each to read.
      context: targets of a row.
      packing: "stream" cuts the records' stream at every `context` tokens (`Windows`); "documents" puts whole
        records into rows and fills these up with PAD (`PackedDocuments`).
      weights: each dataset's share of the tokens seen, up to a common factor; none for shares by length, with
        which one pass over all datasets is one over each.
      seed: of the permutations, and of which records share a row.

    Attributes:
      tokens: of all datasets, each once.

    Raises InputError for datasets of several tokenizers, a split that is missing or too short, and weights
    that are no shares of the datasets.
    """

    def __init__(
        self,
        datasets: Sequence[UnitDataset],
        split: str,
        *,
        context: int,
        packing: str = "stream",
        weights: Sequence[float] = (),
        seed: int,
    ):
        _check(datasets, packing, weights, seed)
        self.datasets, self.split, self.context = tuple(datasets), split, context
        if packing == "stream":
            self._sources = [Windows(dataset, split, context) for dataset in datasets]
        else:
            self._sources = [PackedDocuments(dataset, split, context, seed) for dataset in datasets]
        self._mixture = Mixture(_row_shares(self._sources, weights))
        self._epochs = [Epochs(len(source), seed, number) for number, source in enumerate(self._sources)]
        self.tokens = sum(source.tokens for source in self._sources)

    def __len__(self) -> int:
        """Rows of all datasets, each once."""
        return sum(map(len, self._sources))

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """tokens_BxT (int32, T = context + 1) of rows 0, 1, ... of the endless sequence."""
        places: list[list[int]] = [[] for _ in self._sources]
        indices: list[list[int]] = [[] for _ in self._sources]
        for place, row in enumerate(rows):
            dataset, index = self._mixture.locate(row)
            places[dataset].append(place)
            indices[dataset].append(self._epochs[dataset].row(index))
        tokens_BxT = np.empty((len(rows), self.context + 1), np.int32)
        for source, found, wanted in zip(self._sources, places, indices, strict=True):
            if wanted:
                tokens_BxT[found] = source.read(wanted)
        return tokens_BxT

    def batches(
        self, batch_size: int, first_step: int = 0, host: int = 0, hosts: int = 1
    ) -> Iterator[np.ndarray]:
        """Yields tokens_BxT of first_step, first_step + 1, ... without end, some read ahead by a thread.

        Step s is rows s * batch_size .. (s + 1) * batch_size - 1; of these, host h reads the h-th of `hosts`
        equal parts, so that the hosts' parts after one another are the batch of a single host.

        Raises InputError when the hosts do not divide the batch.
        """
        import grain  # a second to import, which processes that only encode are spared

        if batch_size % hosts:
            raise InputError(
                f"config.batch_size {batch_size} does not split evenly over {hosts} hosts; use a multiple"
            )
        part = batch_size // hosts
        steps = -(-ROWS_PER_READ // part)

        def read_steps(first: int) -> np.ndarray:
            starts = [step * batch_size + host * part for step in range(first, first + steps)]
            rows = [row for start in starts for row in range(start, start + part)]
            return self.read(rows).reshape(steps, part, self.context + 1)

        reads = grain.MapDataset.range(first_step, sys.maxsize - steps, steps).map(read_steps)
        # One thread: reading holds the interpreter, so that several would wait for each other.
        return _one_by_one(reads.to_iter_dataset(grain.ReadOptions(1, READS_AHEAD)))

    def report(self, rows: int) -> dict:
        """What the first `rows` rows hold, for a run's summary.

        Returns tokens (targets that are not PAD), unique_tokens (those of each dataset's first epoch),
        repeated_tokens, epochs (of each dataset, by its folder) and padding (its share of the targets).
        """
        tokens = unique = 0
        epochs = {}
        counts = self._mixture.counts(rows)
        for source, walk, count in zip(self._sources, self._epochs, counts, strict=True):
            whole, rest = divmod(count, len(source))
            begun = source.count_targets(walk.order(whole)[:rest])
            tokens += whole * source.targets + begun
            unique += source.targets if whole else begun
            epochs[str(source.dataset.directory)] = count / len(source)
        return {
            "tokens": tokens,
            "unique_tokens": unique,
            "repeated_tokens": tokens - unique,
            "epochs": epochs,
            "padding": 1 - tokens / (rows * self.context) if rows else 0.0,
        }


def _one_by_one(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    with contextlib.closing(iter(blocks)) as ahead:
        for tokens_SxBxT in ahead:
            yield from tokens_SxBxT


def _row_shares(sources: Sequence[Windows | PackedDocuments], weights: Sequence[float]) -> list[int]:
    """Each dataset's share of the rows that gives it its share of the tokens, as whole numbers."""
    if not weights:
        return list(map(len, sources))
    shares = [
        Fraction(str(weight)) * len(source) / source.targets
        for weight, source in zip(weights, sources, strict=True)
    ]
    common = math.lcm(*(share.denominator for share in shares))
    return [int(share * common) for share in shares]


def check_row_settings(packing: str, weights: Sequence[float], datasets: int) -> None:
    """Raises InputError, in the words of a run's config, for a packing or weights that no rows can have."""
    if packing not in PACKINGS:
        raise InputError(f"config.data.packing is {packing!r}: choose one of {', '.join(PACKINGS)}")
    if weights and len(weights) != datasets:
        raise InputError(
            f"config.data.weights has {len(weights)} number(s) for {datasets} dataset(s): give one for "
            "data.path and one for each of data.also, or none"
        )
    for weight in weights:
        if not 0 < weight < math.inf:
            raise InputError(
                f"config.data.weights holds {weight}: give positive shares, or leave a dataset out"
            )


def _check(datasets: Sequence[UnitDataset], packing: str, weights: Sequence[float], seed: int) -> None:
    check_row_settings(packing, weights, len(datasets))
    if seed < 0:
        raise InputError(f"config.seed is {seed}: use 0 or above")
    for dataset in datasets[1:]:
        if dataset.tokenizer_fingerprint != datasets[0].tokenizer_fingerprint:
            raise InputError(
                f"{dataset.directory}: has units of another tokenizer than {datasets[0].directory}; "
                "tokenize both with the same one"
            )
