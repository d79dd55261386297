"""Candidate scores: against a numpy model, and the same however they are batched."""

import jax
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_lm import CONTEXT, EOS, MODEL, PAD, VOCAB_SIZE, K, MeanLM, reference_loglik

from slm_jax.errors import InputError
from slm_jax.evaluation import score_candidates
from slm_jax.evaluation.score import bucket_length
from slm_jax.model import Transformer, TransformerConfig, likelihood, make_mesh

IDS = {"eos": EOS, "pad": PAD, "vocab_size": VOCAB_SIZE, "context": CONTEXT}
SMALL = TransformerConfig(vocab_size=VOCAB_SIZE, layers=1, dim=8, heads=2, mlp_multiple=8)

sequences = st.lists(st.integers(0, K - 1), min_size=1, max_size=CONTEXT).map(
    lambda u: np.array(u, np.uint16)
)


def test_equals_an_independent_reference():
    rng = np.random.default_rng(0)
    units = [rng.integers(0, K, length) for length in (1, 2, 15, 16, 17, 40, CONTEXT)]
    loglik_C, units_C = score_candidates(MODEL, units, **IDS)
    assert loglik_C.dtype == np.float64
    np.testing.assert_array_equal(units_C, [len(u) for u in units])
    np.testing.assert_allclose(loglik_C, [reference_loglik(MODEL, u).sum() for u in units], rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(sequences, min_size=1, max_size=12), st.sampled_from([16, 100, 1000]), st.randoms())
def test_scores_depend_on_nothing_but_the_sequence(units, batch_tokens, random):
    loglik_C, _ = score_candidates(MODEL, units, **IDS, batch_tokens=batch_tokens)
    order = random.sample(range(len(units)), len(units))
    shuffled_C, _ = score_candidates(MODEL, [units[i] for i in order], **IDS)
    np.testing.assert_allclose(shuffled_C, loglik_C[order], rtol=1e-5)
    for units_L, loglik in zip(units, loglik_C, strict=True):
        alone, _ = score_candidates(MODEL, [units_L], **IDS)
        np.testing.assert_allclose(alone[0], loglik, rtol=1e-5)


def test_identical_sequences_score_identically():
    rng = np.random.default_rng(1)
    units = [rng.integers(0, K, length) for length in rng.integers(1, CONTEXT, 40)]
    loglik_C, _ = score_candidates(
        MODEL, units + [u.astype(np.uint16) for u in units[::-1]], **IDS, batch_tokens=64
    )
    np.testing.assert_array_equal(loglik_C[:40], loglik_C[40:][::-1])


def test_a_transformer_scores_the_same_alone_and_padded():
    units = [np.arange(length) % K for length in (3, 30, CONTEXT)]
    model = Transformer(SMALL, nnx.Rngs(0))
    loglik_C, _ = score_candidates(model, units, **IDS)
    logprob_LxV = jax.nn.log_softmax(nnx.jit(model)(np.append(EOS, units[1][:-1])[None])[0])
    np.testing.assert_allclose(loglik_C[1], logprob_LxV[np.arange(30), units[1]].sum(), rtol=1e-5)


def test_a_mesh_changes_nothing():
    units = [np.arange(length) % K for length in (1, 20, 50)]
    alone_C, _ = score_candidates(MODEL, units, **IDS)
    meshed_C, _ = score_candidates(MODEL, units, **IDS, mesh=make_mesh(devices=jax.devices()[:1]))
    np.testing.assert_allclose(meshed_C, alone_C, rtol=1e-6)


def test_models_of_one_size_share_compiled_functions():
    before = likelihood._next_token_loglik._cache_size()
    for seed, length in ((0, 33), (1, 40)):
        score_candidates(Transformer(SMALL, nnx.Rngs(seed)), [np.zeros(length, int)], **IDS)
    assert likelihood._next_token_loglik._cache_size() == before + 1


@settings(deadline=None)
@given(st.integers(1, 2050))
def test_buckets_hold_the_sequence_within_the_context_and_waste_little(length):
    bucket = bucket_length(length, 2050)
    assert length <= bucket <= 2050
    assert bucket < 1.25 * length + 32


def test_buckets_are_few():
    assert len({bucket_length(length, 2050) for length in range(1, 2051)}) <= 20


@pytest.mark.parametrize(
    ("units_L", "message"),
    [
        (np.zeros(0, int), "candidate b has no units"),
        (
            np.zeros(CONTEXT + 1, int),
            f"candidate b has {CONTEXT + 1} units but the model's context is {CONTEXT}",
        ),
        (np.array([0, EOS]), f"candidate b holds the id {EOS}"),
        (np.array([PAD]), f"candidate b holds the id {PAD}"),
        (np.array([VOCAB_SIZE]), f"candidate b holds the id {VOCAB_SIZE}"),
        (np.array([-1]), "candidate b holds the id -1"),
    ],
)
def test_a_bad_candidate_is_named(units_L, message):
    with pytest.raises(InputError, match=message):
        score_candidates(MODEL, [np.ones(3, int), units_L], **IDS, ids=["a", "b"])


def test_a_broken_model_is_an_error():
    model = MeanLM(nnx.Rngs(0))
    model.head[...] = model.head[...] * np.nan
    with pytest.raises(InputError, match="candidate number 0 scores nan"):
        score_candidates(model, [np.ones(3, int)], **IDS)
