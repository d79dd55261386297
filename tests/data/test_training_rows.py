import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_records import PAD, MemoryRecords

from slm_jax.data import TrainingRows, UnitDataset, Windows, write_dataset
from slm_jax.data.loading.order import permutation
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, Tokenizer

CONTEXT = 8
PACKINGS = st.sampled_from(["stream", "documents"])
WEIGHTS = st.sampled_from([(), (0.5, 0.2, 0.3), (1, 5, 1)])


def datasets(count=3, records=12):
    rng = np.random.default_rng(0)
    return [
        MemoryRecords(rng.integers(1, 20, records + i), directory=f"set{i}", first=300 * i)
        for i in range(count)
    ]


def rows_of(count=3, **options):
    return TrainingRows(datasets(count), "train", context=CONTEXT, **({"seed": 0} | options))


def take(rows, count, batch_size, **options):
    batches = rows.batches(batch_size, **options)
    found = list(itertools.islice(batches, count))
    batches.close()
    return np.stack(found)


@settings(deadline=None, max_examples=25)
@given(
    packing=PACKINGS,
    weights=WEIGHTS,
    hosts=st.sampled_from([1, 2, 4]),
    part=st.sampled_from([1, 2, 3, 64]),
    first_step=st.integers(0, 10**9),
    seed=st.integers(0, 10**6),
)
def test_the_batch_at_a_step_is_the_same_for_any_hosts_and_restarts(
    packing, weights, hosts, part, first_step, seed
):
    rows = rows_of(packing=packing, weights=weights, seed=seed)
    batch_size = 4 * part
    whole = take(rows, 5, batch_size, first_step=first_step)
    again = rows_of(packing=packing, weights=weights, seed=seed)
    parts = [
        take(again, 5, batch_size, first_step=first_step, host=host, hosts=hosts) for host in range(hosts)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    # Going on elsewhere, with other hosts, after two steps.
    moved = [take(again, 3, batch_size, first_step=first_step + 2, host=h, hosts=4) for h in range(4)]
    np.testing.assert_array_equal(np.concatenate(moved, axis=1), whole[2:])
    first_row = (first_step + 3) * batch_size
    np.testing.assert_array_equal(rows.read(range(first_row, first_row + batch_size)), whole[3])


@settings(deadline=None, max_examples=20)
@given(packing=PACKINGS, weights=WEIGHTS, count=st.integers(0, 400), seed=st.integers(0, 99))
def test_the_report_counts_what_the_rows_hold(packing, weights, count, seed):
    rows = rows_of(packing=packing, weights=weights, seed=seed)
    report = rows.report(count)
    tokens_NxT = rows.read(range(count))
    assert report["tokens"] == (tokens_NxT[:, 1:] != PAD).sum()
    seen = {tokens_T.tobytes(): (tokens_T[1:] != PAD).sum() for tokens_T in tokens_NxT}
    assert report["unique_tokens"] == sum(seen.values())
    assert report["repeated_tokens"] == report["tokens"] - report["unique_tokens"]
    assert report["padding"] == pytest.approx((tokens_NxT[:, 1:] == PAD).mean() if count else 0)
    assert list(report["epochs"]) == ["set0", "set1", "set2"]


@pytest.mark.parametrize("packing", ["stream", "documents"])
def test_without_weights_a_pass_over_all_is_one_over_each_and_the_next_in_another_order(packing):
    rows = rows_of(packing=packing)
    first, second = rows.read(range(len(rows))), rows.read(range(len(rows), 2 * len(rows)))
    assert len({row.tobytes() for row in first}) == len(rows)
    assert sorted(row.tobytes() for row in first) == sorted(row.tobytes() for row in second)
    assert (first != second).any()
    assert rows.report(2 * len(rows))["epochs"] == {"set0": 2, "set1": 2, "set2": 2}
    alone = [TrainingRows([data], "train", context=CONTEXT, packing=packing, seed=0) for data in datasets()]
    assert rows.tokens == sum(each.tokens for each in alone)
    if packing == "documents":
        assert rows.report(len(rows))["tokens"] == rows.tokens


@pytest.mark.parametrize("packing", ["stream", "documents"])
def test_weights_are_shares_of_the_tokens(packing):
    """Also where one dataset's rows are half PAD: records of 5 units, of which rows of 8 targets hold one."""
    half, full = (
        MemoryRecords([5] * 40, directory="half"),
        MemoryRecords([7] * 40, directory="full", first=500),
    )
    rows = TrainingRows([half, full], "train", context=8, packing=packing, weights=(0.25, 0.75), seed=0)
    targets = rows.read(range(2000))[:, 1:]
    of_half, of_full = (targets < 200).sum() / 5 * 6, ((targets >= 500) & (targets < PAD - 1)).sum() / 7 * 8
    assert of_half / (of_half + of_full) == pytest.approx(0.25, abs=0.005)


def test_another_seed_is_another_order_in_every_epoch():
    """Not the same orders one epoch later, as when the epoch is added to the seed."""
    length = len(rows_of(1))
    epochs = [
        rows_of(1, seed=seed).read(range(epoch * length, (epoch + 1) * length)).tobytes()
        for seed in range(5)
        for epoch in range(5)
    ]
    assert len(set(epochs)) == 25


def test_rows_are_shuffled_globally():
    """Rows that follow each other are a third of the data apart on average, as places drawn at random are."""
    records = MemoryRecords([7] * 120)
    rows, windows = TrainingRows([records], "train", context=8, seed=0), Windows(records, "train", 8)
    place = {windows[index].tobytes(): index for index in range(len(windows))}
    places = np.array([place[row.tobytes()] for row in rows.read(range(len(rows)))])
    assert np.abs(np.diff(places)).mean() / len(windows) == pytest.approx(1 / 3, abs=0.06)


def test_the_order_is_the_one_that_runs_begun_earlier_have():
    """Written down, so that no change of this code or of NumPy moves a run that goes on."""
    assert permutation(10, 1, 2, 3).tolist() == [0, 9, 4, 6, 1, 5, 3, 8, 2, 7]


def test_no_thread_stays_behind():
    before = threading.active_count()
    for _ in range(3):
        batches = rows_of().batches(4)
        next(batches)
        batches.close()
    abandoned = rows_of().batches(4)
    next(abandoned)
    del abandoned
    for thread in threading.enumerate():
        if thread.name.startswith("grain-prefetch"):
            thread.join(timeout=10)
    assert threading.active_count() == before


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="set1: has units of another tokenizer than set0"):
        TrainingRows(
            [*datasets(1), MemoryRecords([9], "set1", tokenizer_fingerprint="two")],
            "train",
            context=4,
            seed=0,
        )
    with pytest.raises(InputError, match=r"weights has 2 number\(s\) for 3 dataset"):
        rows_of(weights=(1, 2))
    for weight in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="weights holds"):
            rows_of(weights=(1, weight, 1))
    with pytest.raises(InputError, match="packing is 'document': choose one of stream, documents"):
        rows_of(packing="document")
    with pytest.raises(InputError, match="seed is -1"):
        rows_of(seed=-1)
    with pytest.raises(InputError, match="batch_size 6 does not split evenly over 4 hosts"):
        rows_of().batches(6, hosts=4)
    with pytest.raises(InputError, match="set1: split train has 2 tokens"):
        TrainingRows([*datasets(1), MemoryRecords([1], "set1")], "train", context=8, seed=0)


def test_a_corrupt_shard_ends_the_batches_with_its_name(unit_dir):
    shard = sorted(unit_dir.glob("*train*.array_record-*"))[2]
    content = bytearray(shard.read_bytes())
    content[300] ^= 0xFF  # inside the first records
    shard.write_bytes(content)
    rows = TrainingRows([UnitDataset(unit_dir)], "train", context=32, seed=0)
    with pytest.raises(InputError, match=shard.name):
        for _ in itertools.islice(rows.batches(4), len(rows) // 4):
            pass


def test_datasets_on_disk_mix(tmp_path, unit_dir, examples):
    Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 100, (30, 26))).save(tmp_path / "same")
    write_dataset(tmp_path / "more", examples, name="more", kind="units", tokenizer_dir=tmp_path / "same")
    mixed = TrainingRows(
        [UnitDataset(unit_dir), UnitDataset(tmp_path / "more")],
        "train",
        context=32,
        packing="documents",
        seed=1,
    )
    tokens = mixed.read(range(len(mixed)))
    units = np.concatenate([example["units"] for example in examples["train"]])
    np.testing.assert_array_equal(np.bincount(tokens[tokens < 30], minlength=30), 2 * np.bincount(units))
