"""First centroids: greedy k-means++ (Arthur & Vassilvitskii 2007) and k-means|| (Bahmani et al. 2012)."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.progress import progress
from slm_jax.tokenizer.kmeans.blocks import Frames
from slm_jax.tokenizer.units import distances

ROUNDS = 5  # of k-means||, as in its paper
OVERSAMPLING = 0.5  # candidates of a round for each centroid; the paper finds 0.5 to 2 equally good
STEPS = 256  # of k-means++ in one call


def plus_plus(features_MxD: np.ndarray, weights_M: np.ndarray, k: int, seed: int) -> np.ndarray:
    """centroids_KxD by greedy k-means++ on weighted frames that fit into memory.

    Each centroid is the best of 2 + ln K frames, drawn with probability proportional to their weight times
    the squared distance to the nearest centroid so far.
    """
    trials = 2 + int(math.log(k))
    features_MxD, weights_M = jnp.asarray(features_MxD), jnp.asarray(weights_M)
    first_key, key = jax.random.split(jax.random.key(seed))
    first = features_MxD[_draw(weights_M, jax.random.uniform(first_key, (1,)))]
    seeds_KxD = jnp.zeros((k, features_MxD.shape[1])).at[0].set(first[0])
    nearest_M = _squared(features_MxD, first)[:, 0]
    with progress(total=k, initial=1, desc="k-means++", unit="centroid", leave=False) as bar:
        for start in range(1, k, STEPS):
            stop = min(start + STEPS, k)
            seeds_KxD, nearest_M = _grow(
                features_MxD, weights_M, key, start, stop, seeds_KxD, nearest_M, trials=trials
            )
            nearest_M.block_until_ready()  # or the bar would run ahead
            bar.update(stop - start)
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


@functools.partial(jax.jit, static_argnames="trials")
def _grow(features_MxD, weights_M, key, start, stop, centroids_KxD, nearest_M, *, trials):
    """Steps `start` to `stop` of k-means++."""

    def step(index, state):
        centroids_KxD, nearest_M = state
        draws_C = jax.random.uniform(jax.random.fold_in(key, index), (trials,))
        candidates_CxD = features_MxD[_draw(weights_M * nearest_M, draws_C)]
        nearest_MxC = jnp.minimum(nearest_M[:, None], _squared(features_MxD, candidates_CxD))
        best = (weights_M @ nearest_MxC).argmin()
        return centroids_KxD.at[index].set(candidates_CxD[best]), nearest_MxC[:, best]

    return jax.lax.fori_loop(start, stop, step, (centroids_KxD, nearest_M))


@jax.jit
def _squared(features_MxD, candidates_CxD):
    norms_M = (features_MxD * features_MxD).sum(-1)
    return jnp.maximum(distances(features_MxD, candidates_CxD) + norms_M[:, None], 0.0)


@jax.jit
def _draw(mass_M, draws_C):
    """Indices drawn with probability proportional to the mass, from uniform numbers in [0, 1)."""
    cumulative_M = jnp.cumsum(mass_M)
    return jnp.searchsorted(cumulative_M, draws_C * cumulative_M[-1], side="right").clip(0, len(mass_M) - 1)
