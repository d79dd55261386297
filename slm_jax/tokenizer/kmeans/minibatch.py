"""Mini-batch k-means (Sculley 2010), with the reassignments and the stopping rule of scikit-learn."""

import numpy as np

from slm_jax.progress import progress
from slm_jax.tokenizer.kmeans.blocks import Frames

FRAMES_PER_UNIT = 10  # of a batch; Sculley's batches of 1,000 for 10 to 50 clusters are larger
LEAST_BATCH = 4096
PATIENCE = 10  # batches without a better smoothed inertia
REASSIGNMENT = 0.01  # a centroid with fewer frames than this fraction of the largest one's starts again


def minibatch(frames: Frames, centroids_KxD: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    """centroids_KxD after batches of random frames, at most `iterations` times as many as the frames.

    Each centroid is the mean of all the frames it was ever nearest to. Ends before when the smoothed inertia
    of the batches stops falling.
    """
    rng = np.random.default_rng(seed)
    k = len(centroids_KxD)
    size = frames.whole(min(max(LEAST_BATCH, FRAMES_PER_UNIT * k), len(frames)))
    smoothing = min(2.0 * size / (len(frames) + 1), 1.0)
    seen_K = np.zeros(k)
    smoothed, best, waited, since = None, np.inf, 0, 0
    batches = max(1, iterations * len(frames) // size)
    with progress(total=batches, desc="k-means", unit="batch", leave=False) as bar:
        for _ in range(batches):
            rows_B = np.sort(rng.integers(0, len(frames), size))  # in order: a disk reads forwards
            batch_BxD = frames.features_MxD[rows_B]
            batch = frames.look(*frames.put(batch_BxD, size), centroids_KxD)
            inertia = float(batch.squared_B.mean())
            counts_K = np.asarray(batch.counts_K)
            seen_K += counts_K
            moved_KxD = np.asarray(batch.sums_KxD) - counts_K[:, None] * centroids_KxD
            centroids_KxD = centroids_KxD + moved_KxD / np.maximum(seen_K, 1)[:, None].astype(np.float32)
            since += size
            if (seen_K == 0).any() or since >= FRAMES_PER_UNIT * k:
                since = 0
                _reassign(centroids_KxD, seen_K, batch_BxD, rng)
            smoothed = inertia if smoothed is None else smoothed + smoothing * (inertia - smoothed)
            bar.set_postfix_str(f"inertia {smoothed:.6g} a frame", refresh=False)
            bar.update()
            waited = 0 if smoothed < best else waited + 1
            best = min(best, smoothed)
            if waited >= PATIENCE:
                break
    return centroids_KxD


def _reassign(centroids_KxD: np.ndarray, seen_K: np.ndarray, batch_BxD: np.ndarray, rng) -> None:
    """Moves the centroids that hardly any frame was near to random frames of the batch, in place."""
    low_K = seen_K < REASSIGNMENT * seen_K.max()
    if low_K.sum() > len(batch_BxD) // 2:
        low_K[np.argsort(seen_K, kind="stable")[len(batch_BxD) // 2 :]] = False
    rows = rng.choice(len(batch_BxD), low_K.sum(), replace=False)
    centroids_KxD[low_K] = batch_BxD[rows]
    seen_K[low_K] = seen_K[~low_K].min() if not low_K.all() else 1
