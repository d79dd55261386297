import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.data import Windows, training_batches
from slm_jax.errors import InputError

EOS = 1000


class Records:
    """A split of records in memory."""

    directory, eos = "memory", EOS

    def __init__(self, lengths):
        ends = np.cumsum(lengths)
        self.records = [
            np.arange(end - n, end).astype(np.uint16) % EOS for n, end in zip(lengths, ends, strict=True)
        ]

    def lengths(self, split):
        return np.array([len(record) for record in self.records], np.int32)

    def read(self, split, indices):
        return [self.records[index] for index in indices]


def stream_of(records: Records) -> np.ndarray:
    return np.concatenate([np.append(record, EOS) for record in records.records])


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20), context=st.integers(1, 40))
def test_windows_cut_the_stream_with_one_token_shared(lengths, context):
    records = Records(lengths)
    stream = stream_of(records)
    if len(stream) < context + 1:
        with pytest.raises(InputError, match="fewer than one window"):
            Windows(records, "train", context)
        return
    windows = Windows(records, "train", context)
    assert len(windows) == (len(stream) - 1) // context
    for index in range(len(windows)):
        np.testing.assert_array_equal(windows[index], stream[index * context :][: context + 1])
    targets = np.concatenate([windows[index][1:] for index in range(len(windows))])
    np.testing.assert_array_equal(targets, stream[1 : 1 + len(targets)])


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    return Windows(Records(rng.integers(1, 40, size=60)), "train", 8)


def take(batches, count):
    return [next(batches) for _ in range(count)]


def test_an_epoch_has_every_window_once_and_the_next_another_order(windows):
    epoch = len(windows)
    rows = np.concatenate(take(training_batches(windows, batch_size=4, seed=1), epoch // 2 + 1))
    first, second = rows[:epoch], rows[epoch : 2 * epoch]
    expected = sorted(windows[index].tobytes() for index in range(epoch))
    assert sorted(row.tobytes() for row in first) == expected
    assert sorted(row.tobytes() for row in second) == expected
    assert (first != second).any()
    assert (first != np.stack([windows[index] for index in range(epoch)])).any()


def test_a_batch_depends_on_seed_and_step_alone(windows):
    batches = take(training_batches(windows, batch_size=4, seed=1), 100)
    for step in (0, 7, 99):
        np.testing.assert_array_equal(
            next(training_batches(windows, batch_size=4, seed=1, first_step=step)), batches[step]
        )
    assert (next(training_batches(windows, batch_size=4, seed=2)) != batches[0]).any()


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_rows_of_each_step(windows, hosts):
    whole = take(training_batches(windows, batch_size=8, seed=3), 20)
    parts = [
        take(training_batches(windows, batch_size=8, seed=3, host=host, hosts=hosts), 20)
        for host in range(hosts)
    ]
    for step, batch in enumerate(whole):
        rows = np.concatenate([part[step] for part in parts])
        assert len(rows) == 8
        assert sorted(row.tobytes() for row in rows) == sorted(row.tobytes() for row in batch)
