"""Architectures by config; what transformers has of them is compared in test_conversion.py."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from slm_jax.errors import InputError
from slm_jax.model import ARCHITECTURES, Transformer, TransformerConfig, count_parameters
from slm_jax.model.attention import BACKENDS
from slm_jax.model.norms import layer_norm

SMALL = {"vocab_size": 29, "layers": 2, "dim": 24, "heads": 3}
PYTHIA = {"vocab_size": 50_304, **ARCHITECTURES["pythia"]}

# As their makers count them (of OPT without the two positions that no token has).
PUBLISHED = {
    "pythia-70m": (PYTHIA | {"layers": 6, "dim": 512, "heads": 8}, 70_426_624),
    "pythia-410m": (PYTHIA | {"layers": 24, "dim": 1024, "heads": 16}, 405_334_016),
    "pythia-1b": (PYTHIA | {"layers": 16, "dim": 2048, "heads": 8}, 1_011_781_632),
    "opt-125m": (
        ARCHITECTURES["opt"] | {"vocab_size": 50_272, "layers": 12, "dim": 768, "heads": 12},
        125_239_296 - 2 * 768,
    ),
    "qwen2.5-0.5b": (
        ARCHITECTURES["qwen2"]
        | {"vocab_size": 151_936, "layers": 24, "dim": 896, "heads": 14, "kv_heads": 2, "mlp_size": 4864},
        494_032_768,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_of_other_architectures_have_their_parameters(name):
    fields, parameters = PUBLISHED[name]
    assert count_parameters(TransformerConfig(**fields)) == parameters


@pytest.mark.parametrize("backend", ["blockwise", "reference"])
def test_shared_keys_and_values_are_repeated_ones(backend):
    query = jax.random.normal(jax.random.key(0), (2, 70, 6, 8))
    key, value = jax.random.normal(jax.random.key(1), (2, 2, 70, 2, 8))
    repeated = (np.repeat(x, 3, axis=2) for x in (key, value))
    found = BACKENDS[backend](query, key, value)
    np.testing.assert_allclose(found, BACKENDS["reference"](query, *repeated), atol=1e-5)


def test_layer_norm_has_mean_bias_and_deviation_scale():
    x_BxLxD = 5 + 3 * jax.random.normal(jax.random.key(0), (2, 3, 400))
    normal = np.asarray(layer_norm(x_BxLxD, np.float32(2), np.float32(-1), 1e-6))
    np.testing.assert_allclose(normal.mean(-1), -1, atol=1e-4)
    np.testing.assert_allclose(normal.std(-1), 2, atol=1e-4)


def test_normed_queries_and_keys_make_scores_independent_of_their_size():
    model = Transformer(TransformerConfig(**SMALL, qk_norm=True, norm_eps=1e-12), nnx.Rngs(0))
    tokens_BxL = np.random.default_rng(0).integers(29, size=(2, 20))
    before = np.asarray(model(tokens_BxL))
    model.blocks.query_NxDxHxK[...] = 100 * model.blocks.query_NxDxHxK[...]
    np.testing.assert_allclose(model(tokens_BxL), before, atol=1e-5)
    model.blocks.query_norm_NxK[...] = 100 * model.blocks.query_norm_NxK[...]
    assert np.abs(np.asarray(model(tokens_BxL)) - before).max() > 1e-4


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_logit_of_any_architecture_depends_on_earlier_tokens_alone(name):
    model = Transformer(TransformerConfig(**SMALL | ARCHITECTURES[name]), nnx.Rngs(0))
    tokens_BxL = np.random.default_rng(0).integers(29, size=(1, 20))
    changed = tokens_BxL.copy()
    changed[:, 10] = (changed[:, 10] + 1) % 29
    difference_L = np.abs(model(tokens_BxL) - model(changed)).max(axis=(0, 2))
    assert difference_L[:10].max() < 1e-6
    assert difference_L[11:].min() > 1e-6


def test_a_default_model_has_what_it_always_had():
    """Names and first numbers of the parameters, on which checkpoints and seeds of old runs rely."""
    state = nnx.to_pure_dict(nnx.state(Transformer(TransformerConfig(**SMALL, mlp_multiple=16), nnx.Rngs(0))))
    assert sorted(state) == ["blocks", "embedding_VxD", "final_norm_D"]
    assert sorted(state["blocks"]) == [
        "attention_norm_NxD", "down_NxFxD", "gate_NxDxF", "key_NxDxHxK", "mlp_norm_NxD", "out_NxHxKxD",
        "query_NxDxHxK", "up_NxDxF", "value_NxDxHxK",
    ]  # fmt: skip
    draws = nnx.Rngs(0)
    for parameter, scale in ((state["embedding_VxD"], 0.02), (state["blocks"]["query_NxDxHxK"], 0.02)):
        drawn = scale * jax.random.normal(draws.params(), parameter.shape)
        np.testing.assert_allclose(parameter, drawn, rtol=1e-6)


def test_learned_positions_end_somewhere():
    config = TransformerConfig(**SMALL | ARCHITECTURES["opt"] | {"max_positions": 8})
    model = Transformer(config, nnx.Rngs(0))
    model(np.zeros((1, 8), int))
    with pytest.raises(InputError, match=r"model.max_positions is 8, but a sequence has 9 tokens"):
        model(np.zeros((1, 9), int))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 2}, "model.kv_heads is 2 with model.heads 3"),
        ({"kv_heads": -1}, "model.kv_heads is -1"),
        ({"block": "serial"}, "model.block is 'serial': there is no such block; choose one of"),
        ({"norm": "batch"}, "model.norm is 'batch'"),
        ({"mlp": "silu"}, "model.mlp is 'silu'"),
        ({"positions": "learned"}, "model.max_positions is 0"),
        ({"rotary_fraction": 0.1}, "model.rotary_fraction is 0.1 of heads of 8"),
        ({"rotary_fraction": 2.0}, "model.rotary_fraction is 2.0"),
        ({"experts": 3, "experts_per_token": 4}, "model.experts_per_token is 4 with model.experts 3"),
        ({"experts": 3, "mlp_bias": True}, "model.mlp_bias is true"),
        ({"attention_bias": "some"}, "model.attention_bias is 'some'"),
        ({"norm_eps": 0.0}, "model.norm_eps is 0.0: it must be a number above 0"),
        ({"norm_eps": float("nan")}, "model.norm_eps is nan"),
        ({"rope_theta": -1e4}, "model.rope_theta is -10000.0"),
        ({"rope_theta": float("inf")}, "model.rope_theta is inf"),
        ({"balance_weight": -0.01}, "model.balance_weight is -0.01: it must be 0 or more"),
        ({"balance_weight": float("nan")}, "model.balance_weight is nan"),
    ],
    ids=str,
)
def test_an_impossible_variant_is_named(change, message):
    with pytest.raises(InputError, match=message):
        TransformerConfig(**SMALL | change)


def test_the_mlp_is_as_wide_as_it_is_told():
    config = TransformerConfig(**SMALL, mlp_size=100)
    assert config.mlp_dim == 100
    assert dataclasses.replace(config, mlp_size=0, mlp_multiple=16).mlp_dim == 64
    assert dataclasses.replace(config, mlp_size=0, mlp="relu").mlp_dim == 96
