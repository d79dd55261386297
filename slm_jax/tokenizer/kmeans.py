"""k-means in JAX: greedy k-means++ seeding, then Lloyd's iterations, in blocks that bound the memory."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.errors import InputError
from slm_jax.tokenizer.units import distances

BLOCK = 16_384  # frames whose distances to all centroids are held at once
TOLERANCE = 1e-4  # stop when the inertia falls by less than this fraction


def fit_kmeans(
    features_MxD: np.ndarray, k: int, *, seed: int, iterations: int = 100
) -> tuple[np.ndarray, float]:
    """Clusters frames: (centroids_KxD float32, inertia).

    Inertia is the sum of squared distances to the nearest centroid, as scikit-learn's. Seeding is the greedy
    k-means++ of Arthur & Vassilvitskii (2007); a centroid that loses all its frames moves to the frame
    farthest from its own centroid. Stops after `iterations`, or when the inertia falls by less than 0.01 %.
    Raises InputError when there are fewer distinct frames than k.
    """
    features_MxD = np.asarray(features_MxD, np.float32)
    distinct = len(np.unique(features_MxD[: 100 * k], axis=0))
    if distinct < k and len(np.unique(features_MxD, axis=0)) < k:
        raise InputError(
            f"k = {k} clusters need at least as many different frames; give more audio or a smaller k"
        )
    blocks_NxBxD, weights_NxB = _blocks(features_MxD)
    with jax.default_matmul_precision("highest"):  # GPUs and TPUs would round the distances to bfloat16 or so
        centroids_KxD = _seed(jnp.asarray(features_MxD), jax.random.key(seed), k)
        centroids_KxD, inertia = _lloyd(centroids_KxD, blocks_NxBxD, weights_NxB, iterations)
    return np.asarray(centroids_KxD), float(inertia)


def _blocks(features_MxD: np.ndarray) -> tuple[jax.Array, jax.Array]:
    frames = len(features_MxD)
    size = min(BLOCK, frames)
    padding = -frames % size
    padded_MxD = np.pad(features_MxD, ((0, padding), (0, 0)))
    weights_M = np.pad(np.ones(frames, np.float32), (0, padding))
    return jnp.asarray(padded_MxD.reshape(-1, size, features_MxD.shape[1])), jnp.asarray(
        weights_M.reshape(-1, size)
    )


def _squared(features_TxD, centroids_KxD):
    """Squared Euclidean distances_TxK, never negative."""
    norms_T = (features_TxD * features_TxD).sum(-1)
    return jnp.maximum(distances(features_TxD, centroids_KxD) + norms_T[:, None], 0.0)


@functools.partial(jax.jit, static_argnames="k")
def _seed(features_MxD, key, k):
    trials = 2 + int(math.log(k))  # candidates a step; the one that lowers the inertia most is kept
    first_key, key = jax.random.split(key)
    first = features_MxD[jax.random.randint(first_key, (), 0, len(features_MxD))]
    centroids_KxD = jnp.zeros((k, features_MxD.shape[1])).at[0].set(first)

    def step(index, state):
        centroids_KxD, nearest_M = state
        mass_M = jnp.cumsum(nearest_M)
        draws_C = jax.random.uniform(jax.random.fold_in(key, index), (trials,)) * mass_M[-1]
        candidates_CxD = features_MxD[jnp.searchsorted(mass_M, draws_C)]
        nearest_MxC = jnp.minimum(nearest_M[:, None], _squared(features_MxD, candidates_CxD))
        best = nearest_MxC.sum(0).argmin()
        return centroids_KxD.at[index].set(candidates_CxD[best]), nearest_MxC[:, best]

    nearest_M = _squared(features_MxD, first[None])[:, 0]
    return jax.lax.fori_loop(1, k, step, (centroids_KxD, nearest_M))[0]


@functools.partial(jax.jit, static_argnames="iterations")
def _lloyd(centroids_KxD, blocks_NxBxD, weights_NxB, iterations):
    k = len(centroids_KxD)
    features_MxD = blocks_NxBxD.reshape(-1, blocks_NxBxD.shape[-1])

    def pass_over(centroids_KxD):
        def block(sums, batch):
            features_BxD, weights_B = batch
            squared_BxK = _squared(features_BxD, centroids_KxD)
            member_BxK = jax.nn.one_hot(squared_BxK.argmin(-1), k) * weights_B[:, None]
            sums_KxD, counts_K = sums
            sums = sums_KxD + member_BxK.T @ features_BxD, counts_K + member_BxK.sum(0)
            return sums, squared_BxK.min(-1) * weights_B

        zeros = jnp.zeros_like(centroids_KxD), jnp.zeros(k)
        (sums_KxD, counts_K), nearest_NxB = jax.lax.scan(block, zeros, (blocks_NxBxD, weights_NxB))
        return sums_KxD, counts_K, nearest_NxB.reshape(-1)

    def step(state):
        centroids_KxD, inertia, _, iteration = state
        sums_KxD, counts_K, nearest_M = pass_over(centroids_KxD)
        empty_K = counts_K == 0
        _, farthest_K = jax.lax.top_k(nearest_M, k)
        replacement_KxD = features_MxD[farthest_K[jnp.cumsum(empty_K) - 1]]
        means_KxD = sums_KxD / jnp.maximum(counts_K, 1)[:, None]
        moved_KxD = jnp.where(empty_K[:, None], replacement_KxD, means_KxD)
        return moved_KxD, nearest_M.sum(), inertia, iteration + 1

    def goes_on(state):
        _, inertia, previous, iteration = state
        return (iteration < 2) | ((iteration < iterations) & (previous - inertia > TOLERANCE * inertia))

    start = centroids_KxD, jnp.inf, jnp.inf, 0
    centroids_KxD = jax.lax.while_loop(goes_on, step, start)[0]
    return centroids_KxD, pass_over(centroids_KxD)[2].sum()
