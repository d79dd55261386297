"""Blocks by name and by file: found, declared, applied, and refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from slm_jax.errors import InputError
from slm_jax.model import Transformer, TransformerConfig, count_parameters, next_token_loss
from slm_jax.model.blocks import find_block

SMALL = {"vocab_size": 11, "layers": 2, "dim": 8, "heads": 2, "mlp_size": 12, "dtype": "float32"}
SCALED = """
FINAL_NORM = False

def declare(config, new):
    return {"scale_NxD": new.normal((config.dim,), ("embed",))}

def apply(layer, x_BxLxD, attend):
    return x_BxLxD * layer.scale_NxD[...], None
"""
LIKE_SEQUENTIAL = """
def apply(layer, x_BxLxD, attend):
    x_BxLxD = x_BxLxD + attend(layer.attention_norm(x_BxLxD))
    update_BxLxD, balance = layer.mlp(layer.mlp_norm(x_BxLxD))
    return x_BxLxD + update_BxLxD, balance
"""
TOKENS_BxL = jnp.arange(12).reshape(2, 6) % 9


@pytest.fixture
def block(tmp_path):
    def write(code: str) -> str:
        file = tmp_path / f"block_{len(list(tmp_path.iterdir()))}.py"
        file.write_text(code)
        return str(file)

    return write


def test_a_block_has_the_parameters_that_it_declares_and_no_others(block):
    config = TransformerConfig(**SMALL, block=block(SCALED))
    assert count_parameters(config) == 11 * 8 + 2 * 8
    model = Transformer(config, nnx.Rngs(0))
    embedding_VxD, scale_NxD = (
        np.asarray(p[...], np.float64) for p in (model.embedding_VxD, model.blocks.scale_NxD)
    )
    expected = (embedding_VxD[TOKENS_BxL] * scale_NxD.prod(axis=0)) @ embedding_VxD.T
    np.testing.assert_allclose(model(TOKENS_BxL), expected, rtol=1e-5, atol=1e-9)
    gradients = nnx.grad(lambda model: next_token_loss(model, TOKENS_BxL).nats)(model)
    assert np.all(np.asarray(gradients["blocks"]["scale_NxD"][...]) != 0)


@pytest.mark.parametrize("name", ["sequential", "parallel", "post_norm"])
def test_a_block_of_the_package_is_the_file_of_its_name(name):
    assert find_block(name).apply.__module__ == f"slm_jax.model.blocks.{name}"
    assert find_block(name).final_norm == (name != "post_norm")


def test_a_file_that_joins_the_parts_as_sequential_does_gives_the_same_numbers(block):
    models = [
        Transformer(TransformerConfig(**SMALL, block=b), nnx.Rngs(3))
        for b in ("sequential", block(LIKE_SEQUENTIAL))
    ]
    np.testing.assert_array_equal(*(model(TOKENS_BxL) for model in models))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "serial",
            r"model\.block is 'serial': there is no such block; choose one of parallel, post_norm, seq",
        ),
        ("absent.py", r"model\.block: .*absent\.py does not exist; paths start where slm is called"),
    ],
)
def test_a_block_that_is_not_there_is_named(name, message):
    with pytest.raises(InputError, match=message):
        TransformerConfig(**SMALL, block=name)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def aply(): ...", "the file has no function apply"),
        ("import os\n\n1 / 0\n", r"block_0\.py, line 3: ZeroDivisionError: division by zero"),
        ("import os\ndef apply(:\n", r"block_0\.py, line 2: SyntaxError"),
    ],
)
def test_a_file_that_is_no_block_is_named_with_the_line(block, code, message):
    with pytest.raises(InputError, match=message):
        TransformerConfig(**SMALL, block=block(code))
