"""Candidate scores: against a numpy model, and the same however they are batched and shared."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_lm import CONTEXT, EOS, MODEL, PAD, VOCAB_SIZE, K, MeanLM, reference_loglik

from slm_jax.errors import InputError
from slm_jax.evaluation import score_candidates
from slm_jax.evaluation.batches import A_SHAPE, bucket_lengths, plan
from slm_jax.model import Transformer, TransformerConfig, at_precision, likelihood, make_mesh

IDS = {"eos": EOS, "pad": PAD, "vocab_size": VOCAB_SIZE, "context": CONTEXT}
SMALL = TransformerConfig(vocab_size=VOCAB_SIZE, layers=1, dim=16, heads=2, mlp_multiple=8)

units_lists = st.lists(st.integers(0, K - 1), min_size=1, max_size=CONTEXT)


@st.composite
def alike(draw):
    """Sequences many of which begin with the same units; some are a beginning of others, some occur twice."""
    beginnings = draw(st.lists(units_lists, min_size=1, max_size=3))
    return [
        np.array((draw(st.sampled_from(beginnings)) + draw(units_lists)[: draw(st.integers(0, 9))])[:CONTEXT])
        for _ in range(draw(st.integers(1, 12)))
    ]


def test_equals_an_independent_reference():
    rng = np.random.default_rng(0)
    units = [rng.integers(0, K, length) for length in (1, 2, 15, 16, 17, 40, CONTEXT)]
    scores = score_candidates(MODEL, units, **IDS)
    assert scores.loglik_C.dtype == np.float64
    np.testing.assert_array_equal(scores.units_C, [len(u) for u in units])
    for units_N, loglik_N in zip(units, scores.unit_loglik, strict=True):
        np.testing.assert_allclose(loglik_N, reference_loglik(MODEL, units_N), rtol=1e-5, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(alike(), st.sampled_from([16, 100, 1000]), st.randoms())
def test_scores_depend_on_nothing_but_the_sequence(units, batch_tokens, random):
    order = random.sample(range(len(units)), len(units))
    scores = score_candidates(MODEL, [units[i] for i in order], **IDS, batch_tokens=batch_tokens)
    for index, loglik_N in zip(order, scores.unit_loglik, strict=True):
        np.testing.assert_allclose(loglik_N, reference_loglik(MODEL, units[index]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [{"layers": 2}, {"positions": "learned", "max_positions": CONTEXT}],
    ids=str,
)
def test_sharing_changes_no_score_of_a_transformer(changed):
    model = Transformer(dataclasses.replace(SMALL, **changed), nnx.Rngs(0))
    rng = np.random.default_rng(0)
    story = rng.integers(0, K, 40)
    units = [np.append(story, rng.integers(0, K, size)) for size in (0, 1, 5, 9, 20)]
    units += [rng.integers(0, K, size) for size in (50, CONTEXT)]
    shared = score_candidates(model, units, **IDS)
    alone = score_candidates(model, units, **IDS, share=False)
    assert shared.work["sharing_a_beginning"] >= 4
    assert shared.work["positions_saved_by_sharing"] > 0.3
    assert alone.work["sharing_a_beginning"] == alone.work["positions_saved_by_sharing"] == 0
    np.testing.assert_allclose(shared.loglik_C, alone.loglik_C, rtol=1e-5)


def test_a_long_candidate_is_read_in_windows():
    rng = np.random.default_rng(2)
    units = [rng.integers(0, K, size) for size in (70, 33, 32, 5)]
    ids = IDS | {"context": 32}
    scores = score_candidates(MODEL, units, **ids, overflow="window", stride=10)
    assert scores.work["windowed_candidates"] == 2
    stream = np.append(EOS, units[0])
    by_hand = list(reference_loglik(MODEL, units[0][:32]))
    for start in (10, 20, 30, 40):
        by_hand += list(reference_loglik(MODEL, stream[start + 1 :][:32], start=stream[start])[22:])
    np.testing.assert_allclose(scores.unit_loglik[0], by_hand, rtol=1e-5, atol=1e-6)
    fits = score_candidates(MODEL, units[2:], **ids)
    np.testing.assert_allclose(scores.loglik_C[2:], fits.loglik_C, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overflow": "cut"}, "overflow is 'cut': choose"),
        ({"stride": 61}, "stride is 61 but the context is 60"),
    ],
)
def test_an_impossible_window_is_an_error(options, message):
    with pytest.raises(InputError, match=message):
        score_candidates(MODEL, [np.zeros(70, int)], **IDS, **{"overflow": "window"} | options)


def test_identical_sequences_score_identically():
    rng = np.random.default_rng(1)
    units = [rng.integers(0, K, length) for length in rng.integers(1, CONTEXT, 40)]
    loglik_C = score_candidates(
        MODEL, units + [u.astype(np.uint16) for u in units[::-1]], **IDS, batch_tokens=64
    ).loglik_C
    np.testing.assert_array_equal(loglik_C[:40], loglik_C[40:][::-1])


def test_a_transformer_scores_the_same_alone_and_padded():
    units = [np.arange(length) % K for length in (3, 30, CONTEXT)]
    model = Transformer(SMALL, nnx.Rngs(0))
    loglik_C = score_candidates(model, units, **IDS).loglik_C
    logprob_LxV = jax.nn.log_softmax(nnx.jit(model)(np.append(EOS, units[1][:-1])[None])[0])
    np.testing.assert_allclose(loglik_C[1], logprob_LxV[np.arange(30), units[1]].sum(), rtol=1e-5)


def test_a_mesh_changes_nothing():
    units = [np.arange(length) % K for length in (1, 20, 50)]
    alone = score_candidates(MODEL, units, **IDS)
    meshed = score_candidates(MODEL, units, **IDS, mesh=make_mesh(devices=jax.devices()[:1]))
    np.testing.assert_allclose(meshed.loglik_C, alone.loglik_C, rtol=1e-6)


def test_models_of_one_size_share_compiled_functions():
    before = likelihood._target_loglik._cache_size()
    for seed, length in ((0, 37), (1, 40)):
        score_candidates(Transformer(SMALL, nnx.Rngs(seed)), [np.zeros(length, int)], **IDS)
    assert likelihood._target_loglik._cache_size() == before + 1


def test_precision_is_what_the_model_computes_in():
    model = Transformer(SMALL, nnx.Rngs(0))
    units = [np.arange(50) % K]
    exact = score_candidates(at_precision(model, "float32"), units, **IDS).loglik_C
    rough = score_candidates(at_precision(model, "bfloat16"), units, **IDS).loglik_C
    np.testing.assert_allclose(exact, score_candidates(model, units, **IDS).loglik_C, rtol=1e-6)
    assert 1e-7 < abs(rough - exact) / -exact < 1e-2
    with pytest.raises(InputError, match="precision is 'float16'"):
        at_precision(model, "float16")


@pytest.mark.parametrize(("dtype", "asked"), [("float32", "highest"), ("bfloat16", None)])
def test_float32_is_not_multiplied_in_fewer_bits(monkeypatch, dtype, asked):
    """As accelerators do by default; the CPU does not, so what is looked at is what is asked for."""
    seen, hidden = [], Transformer.hidden

    def spy(self, *arguments):
        seen.append(jax.config.jax_default_matmul_precision)
        return hidden(self, *arguments)

    monkeypatch.setattr(Transformer, "hidden", spy)
    # A size of no other test: what is compiled already is not traced again.
    config = TransformerConfig(vocab_size=VOCAB_SIZE, layers=1, dim=24, heads=3, mlp_multiple=8, dtype=dtype)
    score_candidates(
        Transformer(config, nnx.Rngs(0)),
        [np.array([1, 2])],
        eos=EOS,
        pad=PAD,
        vocab_size=VOCAB_SIZE,
        context=8,
    )
    assert seen == [asked]


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


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=200), st.sampled_from([1, 30, 3000]))
def test_rows_are_padded_to_the_lengths_that_are_worth_a_shape(lengths, times):
    length_R = np.repeat(lengths, times)
    chosen = bucket_lengths(length_R, 300)
    padded_R = chosen[np.searchsorted(chosen, length_R)]
    assert (padded_R >= length_R).all()
    assert len(chosen) <= 12
    edges = np.unique(-(-length_R // 4) * 4)
    reads = [np.where(length_R <= edge, edge, edges[-1]).sum() for edge in edges]  # with two, by trying each
    if len(chosen) == 1:
        assert edges[-1] * length_R.size - min(reads) < A_SHAPE
    else:
        assert edges[-1] * length_R.size - padded_R.sum() >= A_SHAPE * (len(chosen) - 1)
    if len(chosen) == 2:
        assert padded_R.sum() == min(reads)


def test_every_row_is_planned_once_in_full_batches():
    length_R = np.random.default_rng(0).integers(1, 60, 500)
    batches = list(plan(length_R, longest=60, batch_tokens=256, multiple=2))
    np.testing.assert_array_equal(np.sort(np.concatenate([rows for rows, _ in batches])), np.arange(500))
    for rows, (size, length) in batches:
        assert length_R[rows].max() <= length
        assert size % 2 == 0
        assert len(rows) <= size
    assert all(len(rows) == size for rows, (size, _) in batches[:-1])
