"""k-means of frames: which algorithm, which first centroids, and the fit itself."""

import jax
import numpy as np

from slm_jax.errors import InputError
from slm_jax.tokenizer.kmeans.blocks import Frames
from slm_jax.tokenizer.kmeans.lloyd import full_pass, lloyd
from slm_jax.tokenizer.kmeans.minibatch import minibatch
from slm_jax.tokenizer.kmeans.seeding import parallel, plus_plus

ALGORITHMS = ("auto", "full", "minibatch")
INITS = ("auto", "k-means++", "k-means||")
FULL_UP_TO = 2e12  # multiplications a pass: about 20 s on two cores, a blink on an accelerator
PLUS_PLUS_UP_TO = 2e8  # multiplications a pass; beyond, K sequential steps cost more than five passes
SEEDING_FRAMES = 20  # for each centroid of a mini-batch fit, which must not need many passes over the frames


def choose_algorithm(frames: int, k: int, dim: int, algorithm: str = "auto") -> str:
    """ "full" up to frames * k * dim = FULL_UP_TO, else "minibatch", unless one is asked for."""
    if algorithm not in ALGORITHMS:
        raise InputError(f"algorithm {algorithm!r} is unknown; give one of {', '.join(ALGORITHMS)}")
    if algorithm != "auto":
        return algorithm
    return "full" if frames * k * dim <= FULL_UP_TO else "minibatch"


def choose_init(frames: int, k: int, dim: int, init: str = "auto") -> str:
    """ "k-means++" up to frames * k * dim = PLUS_PLUS_UP_TO, else "k-means||", unless one is asked for."""
    if init not in INITS:
        raise InputError(f"init {init!r} is unknown; give one of {', '.join(INITS)}")
    if init != "auto":
        return init
    return "k-means++" if frames * k * dim <= PLUS_PLUS_UP_TO else "k-means||"


def fit_kmeans(
    features_MxD: np.ndarray,
    k: int,
    *,
    seed: int,
    iterations: int = 100,
    algorithm: str = "auto",
    init: str = "auto",
) -> tuple[np.ndarray, float]:
    """Clusters frames, an array or a memory map: (centroids_KxD float32, inertia).

    Inertia is the sum of squared distances to the nearest centroid, as scikit-learn's. "full" are Lloyd's
    iterations until the inertia falls by less than 0.01 %; "minibatch" is Sculley's algorithm; both end after
    as many looks at all the frames as `iterations` says. "k-means++" seeding holds the frames on one device;
    all else takes them in blocks. The result depends on the frames, the options and the number of devices.
    Raises InputError for an unknown option, for fewer different frames than k, and for NaN or infinity.
    """
    frames, dim = features_MxD.shape
    algorithm = choose_algorithm(frames, k, dim, algorithm)
    init = choose_init(frames, k, dim, init)
    if not _has_different(features_MxD, k):
        raise InputError(
            f"k = {k} clusters need at least as many different frames; give more audio or a smaller k"
        )
    with jax.default_matmul_precision("highest"):  # GPUs and TPUs would round the distances to bfloat16 or so
        blocks = Frames(features_MxD)
        if algorithm == "minibatch" and frames > SEEDING_FRAMES * k:
            rows = np.random.default_rng(seed).choice(frames, SEEDING_FRAMES * k, replace=False)
            features_MxD = features_MxD[np.sort(rows)]
        if init == "k-means++":
            weights_M = np.ones(len(features_MxD), np.float32)
            centroids_KxD = plus_plus(np.asarray(features_MxD, np.float32), weights_M, k, seed)
        else:
            centroids_KxD = parallel(Frames(features_MxD), k, seed)
        if algorithm == "full":
            centroids_KxD, inertia = lloyd(blocks, centroids_KxD, iterations)
        else:
            centroids_KxD = minibatch(blocks, centroids_KxD, iterations, seed)
            inertia = float(full_pass(blocks, centroids_KxD)[2].sum(dtype=np.float64))
    if not np.isfinite(inertia):
        raise InputError("the features hold NaN or infinite numbers; find the recording that gives them")
    return centroids_KxD, inertia


def _has_different(features_MxD: np.ndarray, k: int) -> bool:
    different = set()
    for frame_D in features_MxD:
        different.add(frame_D.tobytes())
        if len(different) >= k:
            return True
    return False
