"""Fitting a tokenizer: k-means on the features of a random sample of the recordings."""

import contextlib
import functools
import hashlib
import heapq
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from slm_jax.corpora import Recording, split_of
from slm_jax.errors import InputError
from slm_jax.progress import progress
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.features import recording_features
from slm_jax.tokenizer.tokenizer import Tokenizer
from slm_jax.tokenizer.units import check_k

RECORDINGS_A_SECOND = 2  # kept of a corpus for each second to fit on: recordings of half a second or longer
LEAST_RECORDINGS = 1000
FRAMES_A_UNIT = 50  # fewer, and centroids follow single frames


def fit_tokenizer(
    recordings: Iterable[Recording],
    *,
    encoder: Encoder,
    k: int,
    seed: int = 0,
    sample_seconds: float = 3600.0,
    collapse: bool = True,
    workers: int | None = None,
    algorithm: str = "auto",
    init: str = "auto",
) -> Tokenizer:
    """Fits k centroids on about `sample_seconds` of audio, from training recordings in random order.

    The recordings may stream from a corpus of any size; the features lie in a temporary file (TMPDIR says
    where) of 4 bytes a number. The result depends on which recordings there are, not on their order, on the
    encoder, k, seed, sample_seconds, algorithm and init (see kmeans.fit_kmeans), and not on the workers.
    Warns on stderr of fewer than FRAMES_A_UNIT frames a unit. Raises InputError when an argument is out of
    range, no recording can be used, the temporary file does not fit on its disk, or the sample has fewer
    different frames than k.
    """
    check_k(k)
    if not 0 < sample_seconds < math.inf:
        raise InputError(
            f"sample_seconds is {sample_seconds:g}: give the seconds of audio to fit on, above 0"
        )
    if seed < 0:
        raise InputError(f"seed is {seed}: give 0 or more")
    # Here, as it imports jax, which worker processes do not need.
    from slm_jax.tokenizer.kmeans import choose_algorithm, choose_init, fit_kmeans

    algorithm_for, init_for = (
        functools.partial(choose, k=k, dim=encoder.dim) for choose in (choose_algorithm, choose_init)
    )
    algorithm_for(1, algorithm=algorithm), init_for(1, init=init)  # a typo is refused before hours of work
    chosen = _choose(recordings, seed, sample_seconds)
    with _sample(chosen, encoder, sample_seconds, workers) as features_MxD:
        frames = len(features_MxD)
        if frames < FRAMES_A_UNIT * k:
            print(
                f"warning: {frames:,} frames for {k:,} units, fewer than {FRAMES_A_UNIT} a unit: "
                "use more audio, a larger sample_seconds, or fewer units",
                file=sys.stderr,
            )
        algorithm, init = algorithm_for(frames, algorithm=algorithm), init_for(frames, init=init)
        centroids_KxD, inertia = fit_kmeans(features_MxD, k, seed=seed, algorithm=algorithm, init=init)
    fit = {
        "seed": seed,
        "sample_seconds": sample_seconds,
        "frames": frames,
        "algorithm": algorithm,
        "init": init,
        "inertia_per_frame": round(inertia / frames, 6),
    }
    return Tokenizer(encoder, centroids_KxD, collapse, fit)


def _choose(recordings: Iterable[Recording], seed: int, sample_seconds: float) -> list[Recording]:
    """Training recordings in the order of a hash, so that a long stream is never held."""
    training = (r for r in recordings if split_of(r) == "train")
    limit = LEAST_RECORDINGS + math.ceil(RECORDINGS_A_SECOND * sample_seconds)
    return heapq.nsmallest(
        limit, training, key=lambda r: hashlib.sha256(f"fit {seed} {r.id}".encode()).digest()
    )


@contextlib.contextmanager
def _sample(
    recordings: list[Recording], encoder: Encoder, sample_seconds: float, workers: int | None
) -> Iterator[np.ndarray]:
    """features_MxD of as many recordings as are needed, as a memory map of a temporary file."""
    wanted = math.ceil(sample_seconds * encoder.frame_rate)
    frames, problem = 0, "there is no recording for training"
    with (
        tempfile.TemporaryFile(prefix="slm-features-") as file,
        contextlib.closing(recording_features(encoder, recordings, workers)) as results,
    ):
        with progress(desc="features", unit="frame") as bar:
            for done, result in enumerate(results, start=1):
                if isinstance(result, InputError):
                    problem = result
                    continue
                try:
                    np.asarray(result, np.float32).tofile(file)
                except OSError:
                    raise InputError(
                        f"{tempfile.gettempdir()}: no room for the features, which take up to "
                        f"{4 * encoder.dim * wanted:,} bytes; set TMPDIR to a folder on a larger disk, or "
                        "give a smaller sample_seconds"
                    ) from None
                frames += len(result)
                bar.total = min(wanted, len(recordings) * frames // done)  # there may be less than is wanted
                bar.update(len(result))
                if frames >= wanted:
                    break
        if not frames:
            raise InputError(f"no audio to fit a tokenizer on: {problem}")
        yield np.memmap(file, np.float32, "r", shape=(frames, encoder.dim))
