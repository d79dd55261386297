"""A run directory made of another project's model."""

import numpy as np
import pytest
from flax import nnx

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import Transformer, TransformerConfig, save_llama
from slm_jax.tokenizer import fingerprint, read_config, write_external
from slm_jax.training import import_run, load_model, read_run_config

K = 20
SOURCE = TransformerConfig(vocab_size=K + 5, layers=1, dim=16, heads=2, mlp_multiple=16)


@pytest.fixture
def source(tmp_path):
    """A model whose tokens 0 and 1 are PAD and EOS, and whose units begin at 3."""
    model = Transformer(SOURCE, nnx.Rngs(0))
    save_llama(model, tmp_path / "source", context=64, eos=1)
    write_external(tmp_path / "tokenizer", origin="elsewhere", k=K, frame_rate=25, collapse=True)
    return model


def test_an_imported_run_gives_the_sources_logits_for_our_tokens(source, tmp_path):
    summary = import_run(
        tmp_path / "source", tmp_path / "run", tokenizer_dir=tmp_path / "tokenizer", first_unit=3, pad=0
    )
    model, step = load_model(tmp_path / "run")
    train, config, data = read_run_config(tmp_path / "run")
    assert (step, train.context, train.name, config.vocab_size) == (0, 64, "source", K + 2)
    assert data["tokenizer_fingerprint"] == fingerprint(read_config(tmp_path / "tokenizer"))
    assert summary == read_json(tmp_path / "run" / "summary.json")
    assert summary["imported"]["tokens_left_out"] == 3
    ids = np.array([*range(3, K + 3), 1, 0])
    tokens_BxL = np.random.default_rng(0).integers(K + 2, size=(2, 30))
    np.testing.assert_allclose(model(tokens_BxL), source(ids[tokens_BxL])[..., ids], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_unit": 10, "pad": 0}, "token 25: the model has tokens 0..24"),
        ({"first_unit": 0, "pad": 24}, "one token has two roles"),
    ],
    ids=str,
)
def test_tokens_that_cannot_be_are_named(arguments, message, source, tmp_path):
    with pytest.raises(InputError, match=message):
        import_run(tmp_path / "source", tmp_path / "run", tokenizer_dir=tmp_path / "tokenizer", **arguments)
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_over(source, tmp_path):
    with pytest.raises(InputError, match="is not empty"):
        import_run(tmp_path / "source", tmp_path / "tokenizer", tokenizer_dir=tmp_path / "tokenizer")
