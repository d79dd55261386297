"""From feature frames to units: the nearest centroid of each frame, then repeats removed."""

import numpy as np

from slm_jax.errors import InputError

MAX_K = 2**16 - 2  # units, EOS and PAD are stored as 16-bit integers


def check_k(k: int) -> None:
    """Raises InputError for a number of units that no tokenizer can have."""
    if not 1 <= k <= MAX_K:
        raise InputError(f"k, the number of units, must lie in 1..{MAX_K}, found {k}")


def eos_id(k: int) -> int:
    """The end-of-sequence token, which is also the start symbol: the first id after the units 0..k-1."""
    return k


def pad_id(k: int) -> int:
    """The padding token: the last id of the vocabulary of k + 2 tokens."""
    return k + 1


def distances(features_TxD, centroids_KxD):
    """Squared Euclidean distances up to a constant per frame, of NumPy or JAX arrays alike.

    |x - c|^2 = |x|^2 - 2 x.c + |c|^2, and |x|^2 does not move the nearest centroid.
    """
    return (centroids_KxD * centroids_KxD).sum(-1) - 2.0 * (features_TxD @ centroids_KxD.T)


def assign(features_TxD: np.ndarray, centroids_KxD: np.ndarray) -> np.ndarray:
    """The nearest centroid of each frame, uint16; the lower id wins a tie."""
    return distances(features_TxD, centroids_KxD).argmin(-1).astype(np.uint16)


def collapse(units_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Removes consecutive repeats: (units_L, runs_L) with np.repeat(units_L, runs_L) == units_T."""
    starts_L = np.flatnonzero(np.diff(units_T, prepend=-1)) if len(units_T) else np.zeros(0, int)
    return units_T[starts_L], np.diff(starts_L, append=len(units_T))
