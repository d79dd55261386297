"""Held-out loss: every token of the stream once, with the context a training window would give it."""

import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_lm import EOS, MODEL, VOCAB_SIZE, Constant, K, reference_loglik

from slm_jax.errors import InputError
from slm_jax.training import heldout_loss
from slm_jax.training.heldout import _windows

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


@settings(deadline=None)
@given(records, st.integers(1, 4), st.integers(1, 17))
def test_windows_hold_the_stream_in_order(rows, batch, context):
    stream = stream_of(rows)
    batches = list(_windows(dataset_of(rows), "s", rows=batch, context=context))
    windows = np.concatenate(batches)
    assert all(tokens_BxT.shape == (batch, context + 1) for tokens_BxT in batches)
    np.testing.assert_array_equal(windows[:, 1:].ravel()[: len(stream)], stream)
    before = np.append(EOS, windows[:-1, -1])
    np.testing.assert_array_equal(windows[:, 0], before)
    assert len(windows) - len(stream) // context <= batch


@settings(max_examples=10, deadline=None)
@given(records)
def test_equals_an_independent_reference(rows):
    context = 13
    stream = stream_of(rows)
    loglik = []
    for start in range(0, len(stream), context):
        before = stream[start - 1] if start else EOS
        loglik.append(reference_loglik(MODEL, stream[start : start + context], start=before))
    loss = heldout_loss(MODEL, dataset_of(rows), "validation", context=context, batch_tokens=40)
    assert loss.tokens == len(stream)
    assert loss.nats_per_token == pytest.approx(-np.concatenate(loglik).mean(), rel=1e-5)


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
