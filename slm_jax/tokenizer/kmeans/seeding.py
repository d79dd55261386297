"""First centroids: greedy k-means++ (Arthur & Vassilvitskii 2007) and k-means|| (Bahmani et al. 2012)."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.progress import progress
from slm_jax.tokenizer.kmeans.blocks import Frames

ROUNDS = 5  # of k-means||, as in its paper
OVERSAMPLING = 0.5  # candidates of a round for each centroid; the paper finds 0.5 to 2 equally good


def plus_plus(features_MxD: np.ndarray, weights_M: np.ndarray, k: int, seed: int) -> np.ndarray:
    """centroids_KxD by greedy k-means++ on weighted frames that fit into memory.

    Each centroid is the best of 2 + ln K frames, drawn with probability proportional to their weight times
    the squared distance to the nearest centroid so far.
    """
    seeds_KxD = _plus_plus(jnp.asarray(features_MxD), jnp.asarray(weights_M), jax.random.key(seed), k)
    return np.asarray(seeds_KxD)


def parallel(frames: Frames, k: int, seed: int) -> np.ndarray:
    """centroids_KxD by k-means||: K/2 frames in each of five passes, weighted, and k-means++ of them.

    A pass draws frames with probability proportional to the squared distance to the nearest one drawn before;
    the weight of a candidate is the number of frames nearest to it.
    """
    rng = np.random.default_rng(seed)
    drawn = math.ceil(OVERSAMPLING * k)
    candidates = [frames.features_MxD[np.sort(rng.integers(0, len(frames), drawn))]]
    squared_M = np.full(len(frames), np.inf, np.float32)
    owners_M = np.zeros(len(frames), np.int64)
    for round in progress(range(ROUNDS + 1), desc="seeding", unit="pass", leave=False):
        _come_nearer(frames, candidates[-1], drawn * round, squared_M, owners_M)
        if round < ROUNDS:
            mass_M = np.cumsum(squared_M, dtype=np.float64)
            rows = np.searchsorted(mass_M, rng.random(drawn) * mass_M[-1], side="right")
            candidates.append(frames.features_MxD[np.sort(np.minimum(rows, len(frames) - 1))])
    candidates_CxD = np.concatenate(candidates)
    weights_C = np.bincount(owners_M, minlength=len(candidates_CxD)).astype(np.float32)
    return plus_plus(candidates_CxD, weights_C, k, seed)


def _come_nearer(frames: Frames, candidates_CxD, first: int, squared_M, owners_M) -> None:
    """Updates, in place, the squared distance of each frame to the nearest candidate and which one it is."""
    looks = jax.device_get([frames.look(*block, candidates_CxD)[:2] for block in frames])
    units_M, nearer_M = (np.concatenate(parts)[: len(frames)] for parts in zip(*looks, strict=True))
    is_nearer_M = nearer_M < squared_M
    squared_M[is_nearer_M] = nearer_M[is_nearer_M]
    owners_M[is_nearer_M] = first + units_M[is_nearer_M]


@functools.partial(jax.jit, static_argnames="k")
def _plus_plus(features_MxD, weights_M, key, k):
    trials = 2 + int(math.log(k))
    norms_M = (features_MxD * features_MxD).sum(-1)
    first_key, key = jax.random.split(key)
    first = features_MxD[_draw(weights_M, jax.random.uniform(first_key, (1,)))[0]]
    centroids_KxD = jnp.zeros((k, features_MxD.shape[1])).at[0].set(first)

    def squared(candidates_CxD):
        squared_MxC = norms_M[:, None] - 2.0 * features_MxD @ candidates_CxD.T
        return jnp.maximum(squared_MxC + (candidates_CxD * candidates_CxD).sum(-1), 0.0)

    def step(index, state):
        centroids_KxD, nearest_M = state
        draws_C = jax.random.uniform(jax.random.fold_in(key, index), (trials,))
        candidates_CxD = features_MxD[_draw(weights_M * nearest_M, draws_C)]
        nearest_MxC = jnp.minimum(nearest_M[:, None], squared(candidates_CxD))
        best = (weights_M @ nearest_MxC).argmin()
        return centroids_KxD.at[index].set(candidates_CxD[best]), nearest_MxC[:, best]

    return jax.lax.fori_loop(1, k, step, (centroids_KxD, squared(first[None])[:, 0]))[0]


def _draw(mass_M, draws_C):
    """Indices drawn with probability proportional to the mass, from uniform numbers in [0, 1)."""
    cumulative_M = jnp.cumsum(mass_M)
    return jnp.searchsorted(cumulative_M, draws_C * cumulative_M[-1], side="right").clip(0, len(mass_M) - 1)
