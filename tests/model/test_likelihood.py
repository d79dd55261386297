"""Log-likelihood of targets with a large vocabulary, against the softmax written out, and in memory."""

import numpy as np
import pytest
from flax import nnx

from slm_jax.model import Batch, Transformer, TransformerConfig, likelihood, loss, make_mesh, target_loglik

CONFIG = TransformerConfig(vocab_size=300, layers=1, dim=16, heads=2, mlp_multiple=16)


def batch(rows=4, length=23, targets=9, *, vocab_size=300, sources):
    rng = np.random.default_rng(0)
    tokens_BxL = rng.integers(vocab_size, size=(rows, length), dtype=np.int32)
    if not sources:
        return Batch(tokens_BxL, np.roll(tokens_BxL, -1, axis=1))
    return Batch(
        tokens_BxL,
        rng.integers(vocab_size, size=(rows, targets), dtype=np.int32),
        rng.integers(length, size=(rows, targets), dtype=np.int32),
        np.ones_like(tokens_BxL),
        np.broadcast_to(np.arange(length, dtype=np.int32), tokens_BxL.shape),
    )


def written_out(model, batch, vocab_size):
    logits_BxLxV = np.asarray(model(batch.tokens_BxL), np.float64)[..., :vocab_size]
    loglik_BxLxV = logits_BxLxV - np.log(np.exp(logits_BxLxV).sum(axis=-1, keepdims=True))
    every_1xM = np.arange(batch.target_BxM.shape[1])[None]
    source_BxM = every_1xM if batch.source_BxM is None else batch.source_BxM
    return loglik_BxLxV[np.arange(len(logits_BxLxV))[:, None], source_BxM, batch.target_BxM]


@pytest.mark.parametrize("sources", [False, True])
@pytest.mark.parametrize("at_once", [2**27, 10_000, 900])  # one chunk; some; one for each position
@pytest.mark.parametrize("mesh", [None, {"data": 2, "tensor": 2, "context": 2}])
def test_chunks_of_positions_score_as_the_softmax_does(at_once, sources, mesh, monkeypatch):
    monkeypatch.setattr(loss, "LOGITS_AT_ONCE", at_once)
    likelihood._target_loglik.clear_cache()
    model, scored = Transformer(CONFIG, nnx.Rngs(0)), batch(vocab_size=290, sources=sources)
    mesh = make_mesh(mesh) if mesh else None
    (found,) = target_loglik(model, [scored], vocab_size=290, mesh=mesh)
    np.testing.assert_allclose(found, written_out(model, scored, 290), atol=2e-6)


@pytest.mark.parametrize("sources", [False, True])
def test_with_a_large_vocabulary_the_logits_are_never_in_memory_together(sources):
    config = TransformerConfig(vocab_size=32_000, layers=1, dim=16, heads=2, mlp_multiple=16)
    graph, state = nnx.split(nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0))))
    scored = batch(32, 512, 512, vocab_size=config.vocab_size, sources=sources)
    lowered = likelihood._target_loglik.lower(graph, state, scored, vocab_size=config.vocab_size, mesh=None)
    assert 32 * 512 * config.vocab_size > 3 * loss.LOGITS_AT_ONCE
    memory = lowered.compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2 * 4 * loss.LOGITS_AT_ONCE
