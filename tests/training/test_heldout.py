"""Held-out loss: every token of the stream once, with the context a training window would give it."""

import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_lm import EOS, MODEL, VOCAB_SIZE, Constant, K, reference_loglik

from slm_jax.errors import InputError
from slm_jax.training import heldout_loss

records = st.lists(st.lists(st.integers(0, K - 1), max_size=30), min_size=1, max_size=20)


def dataset_of(rows) -> types.SimpleNamespace:
    rows = [np.array(row, np.uint16) for row in rows]
    return types.SimpleNamespace(
        eos=EOS,
        vocab_size=VOCAB_SIZE,
        lengths=lambda split: np.array([len(row) for row in rows], np.int32),
        read=lambda split, indices: [rows[i] for i in indices],
    )


def stream_of(rows) -> np.ndarray:
    return np.concatenate([[*row, EOS] for row in rows])


def reference_nats(rows, context: int, stride: int) -> list[float]:
    """Of each record: its stream cut by hand, every window scored from nothing but its own tokens."""
    stream = np.append(EOS, stream_of(rows))
    nats = np.full(stream.size, np.nan)
    for start in range(0, stream.size - 1, stride):
        window = stream[start : start + context + 1]
        loglik = reference_loglik(MODEL, window[1:], start=window[0])
        new = slice(0 if start == 0 else context - stride, None)
        places = np.arange(start + 1, start + 1 + loglik.size)[new]
        assert np.isnan(nats[places]).all()  # each token once
        nats[places] = -loglik[new]
    assert not np.isnan(nats[1:]).any()
    return [part.sum() for part in np.split(nats[1:], np.cumsum([len(row) + 1 for row in rows])[:-1])]


@settings(max_examples=25, deadline=None)
@given(records, st.sampled_from([1, 4, 9, 13]), st.sampled_from([13, 40, 100]))
def test_every_record_equals_an_independent_reference(rows, stride, batch_tokens):
    loss = heldout_loss(MODEL, dataset_of(rows), "s", context=13, stride=stride, batch_tokens=batch_tokens)
    np.testing.assert_allclose(loss.nats_R, reference_nats(rows, 13, stride), rtol=1e-5)
    assert loss.tokens_R.tolist() == [len(row) + 1 for row in rows]


@settings(max_examples=10, deadline=None)
@given(records)
def test_without_a_stride_windows_do_not_overlap(rows):
    loss = heldout_loss(MODEL, dataset_of(rows), "validation", context=13, batch_tokens=40)
    assert loss.tokens == len(stream_of(rows))
    assert loss.nats_per_token == pytest.approx(sum(reference_nats(rows, 13, 13)) / loss.tokens, rel=1e-5)


@pytest.mark.parametrize("stride", [0, 9])
def test_a_stride_that_leaves_a_gap_is_an_error(stride):
    with pytest.raises(
        InputError, match=f"stride is {stride} but the context is 8: choose a stride from 1 to 8"
    ):
        heldout_loss(MODEL, dataset_of([[1, 2]]), "s", context=8, stride=stride)


def test_batches_do_not_change_the_loss():
    rng = np.random.default_rng(0)
    dataset = dataset_of([rng.integers(0, K, length) for length in rng.integers(0, 90, 60)])
    losses = [
        heldout_loss(MODEL, dataset, "s", context=32, batch_tokens=size) for size in (1, 32, 500, 10**5)
    ]
    assert len({loss.tokens for loss in losses}) == 1
    np.testing.assert_allclose([loss.nats_per_token for loss in losses], losses[0].nats_per_token, rtol=1e-6)


def test_a_model_that_knows_nothing_has_the_entropy_of_a_uniform_draw():
    loss = heldout_loss(Constant(), dataset_of([[1, 2, 3]]), "s", context=8)
    assert loss.tokens == 4
    assert loss.nats_per_token == pytest.approx(np.log(VOCAB_SIZE))


def test_an_empty_split_is_an_error():
    with pytest.raises(InputError, match="split 'validation' has no records"):
        heldout_loss(MODEL, dataset_of([]), "validation", context=8)
