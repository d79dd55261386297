"""A tiny causal model whose likelihoods can be written down in numpy."""

import numpy as np
from flax import nnx
from jax import numpy as jnp

K = 12
EOS, PAD, VOCAB_SIZE = K, K + 1, K + 2
CONTEXT = 60


class MeanLM(nnx.Module):
    """Logits from the mean of the embeddings it sees, the last one and the position; the vocabulary is padded
    to 16. It sees what `Transformer` sees.
    """

    def __init__(self, rngs: nnx.Rngs, dim: int = 6, padded: int = 16):
        self.embedding = nnx.Param(rngs.params.normal((padded, dim)))
        self.head = nnx.Param(2 * rngs.params.normal((dim, padded)))

    def hidden(self, tokens_BxL, segment_BxL=None, position_BxL=None):
        length = tokens_BxL.shape[1]
        if segment_BxL is None:
            segment_BxL = jnp.zeros_like(tokens_BxL)
            position_BxL = jnp.broadcast_to(jnp.arange(length), tokens_BxL.shape)
        query_BxLx1, key_Bx1xL = segment_BxL[:, :, None], segment_BxL[:, None, :]
        sees_BxLxL = ((query_BxLx1 == key_Bx1xL) | (key_Bx1xL == 0)) & jnp.tri(length, dtype=bool)
        x_BxLxD = self.embedding[...][tokens_BxL]
        mean_BxLxD = sees_BxLxL @ x_BxLxD / sees_BxLxL.sum(-1, keepdims=True)
        return mean_BxLxD + x_BxLxD + _wave(position_BxL, jnp), 0.0

    def logits(self, x_BxLxD):
        return x_BxLxD @ self.head[...]


class Constant(nnx.Module):
    """Every token equally likely."""

    def hidden(self, tokens_BxL):
        return jnp.zeros((*tokens_BxL.shape, 1)), 0.0

    def logits(self, x_BxLxD):
        return jnp.zeros((*x_BxLxD.shape[:2], VOCAB_SIZE))


def reference_loglik(model: MeanLM, units_L, vocab_size: int = VOCAB_SIZE, start: int = EOS) -> np.ndarray:
    """Log-likelihood of every unit, one at a time, in float64."""
    embedding = np.asarray(model.embedding[...], np.float64)
    head = np.asarray(model.head[...], np.float64)
    past, loglik = [start], []
    for unit in np.asarray(units_L, int):
        x = embedding[past]
        logits = ((x.mean(axis=0) + x[-1] + _wave(np.array(len(past) - 1), np)) @ head)[:vocab_size]
        loglik.append(logits[unit] - np.log(np.sum(np.exp(logits))))
        past.append(unit)
    return np.array(loglik)


def _wave(position, numpy):
    return numpy.sin(position)[..., None]


MODEL = MeanLM(nnx.Rngs(0))
