"""Full-batch k-means: Lloyd's iterations (Lloyd 1982)."""

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.progress import progress
from slm_jax.tokenizer.kmeans.blocks import Frames

TOLERANCE = 1e-4  # stop when the inertia falls by less than this fraction


def lloyd(frames: Frames, centroids_KxD: np.ndarray, iterations: int) -> tuple[np.ndarray, float]:
    """(centroids_KxD, their inertia) after at most `iterations` updates.

    An update moves each centroid to the mean of its frames; one that has none moves to the frame that is
    farthest from its own centroid. So the inertia never rises.
    """
    previous = np.inf
    with progress(total=iterations, desc="k-means", unit="pass", leave=False) as bar:
        for iteration in range(iterations + 1):
            means_KxD, counts_K, squared_M = full_pass(frames, centroids_KxD)
            inertia = squared_M.sum(dtype=np.float64)
            bar.set_postfix_str(f"inertia {inertia / len(frames):.6g} a frame", refresh=False)
            if iteration == iterations or not previous - inertia > TOLERANCE * inertia:
                return centroids_KxD, float(inertia)
            bar.update()
            previous = inertia
            centroids_KxD = np.array(means_KxD)
            empty_E = np.flatnonzero(counts_K == 0)
            farthest_E = np.argsort(-squared_M, kind="stable")[: len(empty_E)]
            centroids_KxD[empty_E] = frames.features_MxD[farthest_E]


def full_pass(frames: Frames, centroids_KxD: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(means_KxD and counts_K of the frames nearest to each centroid, squared_M distances to it)."""
    centroids_KxD = jnp.asarray(centroids_KxD)
    sums_KxD, counts_K = jnp.zeros_like(centroids_KxD), 0
    squared = []
    for features_BxD, weights_B in frames:
        seen = frames.look(features_BxD, weights_B, centroids_KxD)
        sums_KxD, counts_K = sums_KxD + seen.sums_KxD, counts_K + seen.counts_K
        squared.append(seen.squared_B)
    means_KxD = sums_KxD / jnp.maximum(counts_K, 1)[:, None]
    squared_M = np.concatenate(jax.device_get(squared))[: len(frames)]
    return np.asarray(means_KxD), np.asarray(counts_K), squared_M
