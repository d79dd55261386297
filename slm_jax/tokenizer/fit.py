"""Fitting a tokenizer: k-means on the features of a random sample of the recordings."""

import functools
import math
from collections.abc import Sequence

import numpy as np

from slm_jax.corpora import Recording, assign_split
from slm_jax.errors import InputError
from slm_jax.progress import progress
from slm_jax.tokenizer.audio import load_audio
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.tokenizer import Tokenizer
from slm_jax.tokenizer.units import check_k
from slm_jax.tokenizer.workers import parallel_map


def fit_tokenizer(
    recordings: Sequence[Recording],
    *,
    encoder: Encoder,
    k: int,
    seed: int = 0,
    sample_seconds: float = 3600.0,
    collapse: bool = True,
    workers: int | None = None,
) -> Tokenizer:
    """Fits k centroids on about `sample_seconds` of audio, from training recordings in random order.

    The result depends on the recordings, the encoder, k, seed and sample_seconds, not on the workers. Raises
    InputError when an argument is out of range, no recording can be used, or the sample has fewer different
    frames than k.
    """
    check_k(k)
    if not 0 < sample_seconds < math.inf:
        raise InputError(
            f"sample_seconds is {sample_seconds:g}: give the seconds of audio to fit on, above 0"
        )
    if seed < 0:
        raise InputError(f"seed is {seed}: give 0 or more")
    from slm_jax.tokenizer.kmeans import fit_kmeans  # imports jax, which worker processes do not need

    features_MxD = _sample(recordings, encoder, seed, sample_seconds, workers)
    centroids_KxD, inertia = fit_kmeans(features_MxD, k, seed=seed)
    fit = {
        "seed": seed,
        "sample_seconds": sample_seconds,
        "frames": len(features_MxD),
        "inertia_per_frame": round(inertia / len(features_MxD), 6),
    }
    return Tokenizer(encoder, centroids_KxD, collapse, fit)


def _sample(
    recordings: Sequence[Recording], encoder: Encoder, seed: int, sample_seconds: float, workers: int | None
) -> np.ndarray:
    paths = [r.path for r in recordings if (r.split or assign_split(r.id)) == "train"]
    order = np.random.default_rng(seed).permutation(len(paths))
    wanted = int(sample_seconds * encoder.frame_rate)
    features, frames, problem = [], 0, "there is no recording for training"
    results = parallel_map(
        functools.partial(_features, encoder), (paths[index] for index in order), workers=workers
    )
    with progress(total=wanted, desc="features", unit="frame") as bar:
        for result in results:
            if isinstance(result, str):
                problem = result
                continue
            features.append(result)
            frames += len(result)
            bar.update(len(result))
            if frames >= wanted:
                break
    results.close()
    if not features:
        raise InputError(f"no audio to fit a tokenizer on: {problem}")
    return np.concatenate(features)


def _features(encoder: Encoder, path: str) -> np.ndarray | str:
    """Features of a recording, or why there are none: one bad file must not stop a fit."""
    try:
        return encoder(load_audio(path, encoder.sample_rate))
    except InputError as error:
        return str(error)
