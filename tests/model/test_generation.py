"""Continuations are what the model without a cache would give, and drawn as they should be."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from flax import nnx
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from slm_jax.errors import InputError
from slm_jax.model import ARCHITECTURES, Transformer, TransformerConfig, generate, generation, save_llama
from slm_jax.model.cache import KeyValueCache
from slm_jax.model.sampling import Sampling, draw, likeliest

EOS, PAD, VOCABULARY = 27, 28, 29
SMALL = {
    "vocab_size": VOCABULARY,
    "layers": 2,
    "dim": 24,
    "heads": 3,
    "mlp_size": 40,
    "tied": False,
    "attention": "reference",
}
VARIANTS = ARCHITECTURES | {
    "tied": {"tied": True},
    "grouped": {"kv_heads": 1},
    "normed queries": {"qk_norm": True},
    "post_norm, projected": {"block": "post_norm", "norm": "layernorm", "embedding_size": 10},
    "experts": {"experts": 3},
    "documents": {"document_mask": True},
    "documents with learned positions": {"document_mask": True, "positions": "learned", "max_positions": 64},
    "no MLP gate, wide heads": {"mlp": "gelu", "head_size": 12, "mlp_bias": True},
}
PROMPTS = [[EOS, 3, 4, 5, 6], [EOS], [EOS, 1, 2, EOS, 9, 9, 7]]


def make_model(**fields) -> Transformer:
    """With weights that do something: at first a model predicts everything alike."""
    config, rng = TransformerConfig(**SMALL | fields), np.random.default_rng(0)
    graph, shapes = nnx.split(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0))))

    def draw_weights(path, shape):
        name = jax.tree_util.keystr(path)
        scales = "norm" in name and "bias" not in name
        return jnp.asarray(rng.normal(scales, 0.2, shape.shape), jnp.float32)

    return nnx.merge(graph, jax.tree_util.tree_map_with_path(draw_weights, shapes))


@pytest.fixture(scope="module")
def model():
    return make_model()


forward = nnx.jit(lambda model, tokens_BxL, position_BxL=None: model(tokens_BxL, position_BxL=position_BxL))


@pytest.mark.parametrize("name", ["llama", "opt", "experts", "documents with learned positions"])
def test_greedy_continuations_are_those_of_the_whole_forward_pass(name):
    """Each token is the likeliest after the prompt and those before it, read at once without a cache."""
    model = make_model(**VARIANTS[name])
    found = generate(model, PROMPTS, tokens=10, temperature=0)
    assert len(set(np.concatenate(found).tolist())) > 3  # no model that repeats one token
    whole = [np.concatenate([prompt, row, [EOS]]) for prompt, row in zip(PROMPTS, found, strict=True)]
    logits_BxLxV = np.array(forward(model, np.stack([np.pad(ids, (0, 18 - len(ids))) for ids in whole])))
    logits_BxLxV[..., PAD] = -np.inf
    for prompt, row, ids, logits_LxV in zip(PROMPTS, found, whole, logits_BxLxV, strict=True):
        until = len(prompt) + min(len(row) + 1, 10)  # an EOS that ended the row was the likeliest too
        assert (
            logits_LxV[len(prompt) - 1 : until - 1].argmax(-1).tolist() == ids[len(prompt) : until].tolist()
        )


@pytest.mark.parametrize("name", VARIANTS)
def test_cached_logits_are_those_of_the_whole_forward_pass_at_every_step(name):
    """Rows of prompts of 1 and 4 tokens, which then read one by one."""
    model = make_model(**VARIANTS[name])
    tokens_BxL = np.random.default_rng(0).integers(EOS, size=(2, 12))
    expected_BxLxV = np.asarray(forward(model, tokens_BxL))
    assert np.abs(expected_BxLxV).max() > 0.5
    model.blocks.cache = KeyValueCache(model.config, 2, 12, model.compute_dtype)
    length_B = np.array([1, 4])
    found_BxLxV = np.array(forward(model, tokens_BxL[:, :4], np.tile(np.arange(4), (2, 1))))
    assert np.abs(found_BxLxV[1] - expected_BxLxV[1, :4]).max() < 1e-5
    row_B = np.arange(2)
    for step in range(8):
        place_B = length_B + step
        logits_Bx1xV = forward(model, tokens_BxL[row_B, place_B][:, None], place_B[:, None])
        assert np.abs(logits_Bx1xV[:, 0] - expected_BxLxV[row_B, place_B]).max() < 1e-5


def test_greedy_continuations_are_those_of_transformers(model, tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    save_llama(model, tmp_path / "llama", context=64, eos=EOS)
    original = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "llama")
    found = generate(model, PROMPTS, tokens=20, temperature=0)
    for prompt, continuation in zip(PROMPTS, found, strict=True):
        ids = original.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=EOS,
            pad_token_id=PAD,
            suppress_tokens=[PAD],
        )[0, len(prompt) :].tolist()
        assert continuation.tolist() == [token for token in ids if token != EOS]


def test_a_continuation_is_of_its_prompt_place_and_seed_alone(model):
    many = generate(model, PROMPTS, tokens=12, seed=3)
    others = generate(model, [PROMPTS[0], [EOS, *range(9)], PROMPTS[2]], tokens=12, seed=3)
    np.testing.assert_array_equal(many[0], others[0])
    np.testing.assert_array_equal(many[2], others[2])
    same = generate(model, [PROMPTS[0]] * 2, tokens=12, seed=3)
    assert same[0].tolist() == many[0].tolist() != same[1].tolist()
    assert same[0].tolist() != generate(model, PROMPTS, tokens=12, seed=4)[0].tolist()


def test_batches_make_no_difference(model, monkeypatch):
    prompts = [*PROMPTS, [EOS, 5], [EOS, 6]]
    whole = generate(model, prompts, tokens=9, seed=1)
    monkeypatch.setattr(generation, "BATCH_TOKENS", 2 * (7 + 9))  # batches of 2, 2 and 1
    parts = generate(model, prompts, tokens=9, seed=1)
    assert [row.tolist() for row in parts] == [row.tolist() for row in whole]


def test_what_may_not_be_drawn_is_not_and_eos_ends(model):
    config = dataclasses.replace(model.config, unused=(4, 9))
    restricted = nnx.merge(
        nnx.graphdef(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0)))), nnx.state(model)
    )
    found = generate(restricted, [[EOS]] * 300, tokens=30, temperature=5.0)
    lengths = {len(row) for row in found}
    assert len(lengths) > 10 and max(lengths) == 30  # with 26 tokens about as likely, some end early
    assert set(np.concatenate(found).tolist()) == set(range(EOS)) - {4, 9}


SAMPLINGS = [
    Sampling(),
    Sampling(1.7),
    Sampling(0.4),
    Sampling(1.0, 5),
    Sampling(1.0, 0, 0.5),
    Sampling(2.0, 6, 0.7),
]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_tokens_are_drawn_as_often_as_their_probability(sampling):
    """Chi-square of 20,000 draws, each with its own key, from one distribution."""
    logits_V = np.random.default_rng(0).normal(0, 1.5, 12)
    key_B = jax.random.split(jax.random.key(0), 20_000)
    logits_BxV = jnp.tile(jnp.asarray(logits_V, jnp.float32), (20_000, 1))
    counts_V = np.bincount(draw(logits_BxV, key_B, sampling), minlength=12)
    scaled_V = logits_V / sampling.temperature
    seen_V = plain_likeliest(scaled_V, sampling.top_k, sampling.top_p)
    probability_V = np.where(seen_V, scipy.special.softmax(scaled_V), 0)
    expected_V = 20_000 * probability_V[seen_V] / probability_V.sum()
    assert counts_V[~seen_V].sum() == 0
    assert scipy.stats.chisquare(counts_V[seen_V], expected_V).pvalue > 1e-4


def plain_likeliest(logits_V: np.ndarray, top_k: int, top_p: float) -> np.ndarray:
    order = sorted(range(len(logits_V)), key=lambda token: (-logits_V[token], token))[: top_k or None]
    weight = np.exp(np.array([logits_V[token] for token in order], np.float64) - logits_V.max())
    total = np.cumsum(weight / weight.sum())
    kept = order if top_p == 1 else order[: int((total[:-1] < top_p).sum()) + 1]
    return np.isin(np.arange(len(logits_V)), kept)


# XLA takes subnormal numbers for 0.
LOGITS = arrays.arrays(np.float32, 8, elements=st.floats(-8, 8, width=32, allow_subnormal=False))


@settings(deadline=None, max_examples=100)
@given(LOGITS, st.integers(0, 9), st.sampled_from([0.05, 0.3, 0.5, 0.8, 0.95, 1.0]))
def test_the_likeliest_tokens_are_exactly_those(logits_V, top_k, top_p):
    probability_V = scipy.special.softmax(np.sort(logits_V.astype(np.float64))[::-1][: top_k or None])
    assume(np.abs(np.cumsum(probability_V) - top_p).min() > 1e-5 or top_p == 1)  # no matter of rounding
    found_V = np.asarray(likeliest(jnp.asarray(logits_V)[None], top_k, top_p))[0]
    np.testing.assert_array_equal(found_V, plain_likeliest(logits_V, top_k, top_p))


def test_extreme_temperatures_and_probabilities_are_no_nan():
    logits_BxV = jnp.array([[1.0, 3.0, 2.0, -1e30]])
    key_B = jax.random.split(jax.random.key(0), 1)
    for sampling in (Sampling(0.0), Sampling(1e-38), Sampling(1.0, 1), Sampling(1.0, 0, 1e-9)):
        assert draw(logits_BxV, key_B, sampling).tolist() == [1]
    assert draw(logits_BxV, key_B, Sampling(1e30))[0] != 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 0}, "tokens is 0"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"context": 10}, "prompt 2 has 7 tokens, and with 5 more the model would read 11.* context of 10"),
        ({"prompts": [[EOS], []]}, "prompt 1 is empty: begin with EOS, 27"),
        ({"prompts": [[EOS, 29]]}, "prompt 0 holds tokens 27 to 29, but the model has 0..28"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(model, change, message):
    with pytest.raises(InputError, match=message):
        generate(model, **{"prompts": PROMPTS, "tokens": 5} | change)


def test_learned_positions_and_contexts_are_filled_to_the_last():
    model = make_model(positions="learned", max_positions=11)
    assert len(generate(model, PROMPTS, tokens=5, context=11)) == 3
    with pytest.raises(InputError, match="the model would read 12, beyond its context of 11"):
        generate(model, PROMPTS, tokens=6)
    assert generate(model, [], tokens=5) == []
