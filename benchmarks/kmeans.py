"""k-means against scikit-learn: the same frames, the same threads, the same run.

python benchmarks/kmeans.py [--frames 100000] [--dim 26] [--units 500]     one JSON line

Full-batch Lloyd against KMeans(n_init=1), mini-batches against MiniBatchKMeans(n_init=1). `seconds` is the
second fit in the process, `first_seconds` the first, with compilation; `cpu_seconds` (of the second) tells
where other work disturbs the machine. `inertia` is per frame.
"""

import argparse
import json
import time

import jax
import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans

from slm_jax.cores import available_cores
from slm_jax.tokenizer.kmeans import choose_init, fit_kmeans
from slm_jax.versions import versions

PHONES = 200
DIRECTIONS = 40  # in which the frames of a phone mostly vary


def speech_like(frames: int, dim: int) -> np.ndarray:
    """features_MxD: phones of unequal frequency, each a Gaussian with a few strong directions."""
    rng = np.random.default_rng(0)
    centers_PxD = 2 * rng.normal(size=(PHONES, dim))
    phones_M = rng.choice(PHONES, frames, p=rng.dirichlet(np.ones(PHONES)))
    directions_NxD = rng.normal(size=(DIRECTIONS, dim)) / np.sqrt(DIRECTIONS)
    variation_MxD = 1.5 * rng.normal(size=(frames, DIRECTIONS)) @ directions_NxD
    noise_MxD = 0.5 * rng.normal(size=(frames, dim))
    return (centers_PxD[phones_M] + variation_MxD + noise_MxD).astype(np.float32)


def measure(fit, runs: int) -> dict:
    """`fit` gives the inertia."""
    for run in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        inertia = fit()
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if run == 0:
            first = seconds
    return {
        "inertia": inertia,
        "seconds": round(seconds, 2),
        "first_seconds": round(first, 2),
        "cpu_seconds": round(cpu, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=26)
    parser.add_argument("--units", type=int, default=500)
    options = parser.parse_args()
    features_MxD = speech_like(options.frames, options.dim)
    result = {"benchmark": "kmeans", **vars(options)}
    result["init"] = choose_init(options.frames, options.units, options.dim)
    for algorithm, theirs in (("full", KMeans), ("minibatch", MiniBatchKMeans)):

        def ours(algorithm=algorithm):
            return fit_kmeans(features_MxD, options.units, seed=0, algorithm=algorithm)[1] / options.frames

        def scikit_learns(theirs=theirs):
            model = theirs(options.units, n_init=1, random_state=0)
            return float(model.fit(features_MxD).inertia_) / options.frames

        result[algorithm] = {"slm_jax": measure(ours, 2), "scikit_learn": measure(scikit_learns, 1)}
        mine, others = result[algorithm]["slm_jax"], result[algorithm]["scikit_learn"]
        result[algorithm]["inertia_ratio"] = round(mine["inertia"] / others["inertia"], 4)
        result[algorithm]["times_faster"] = round(others["seconds"] / mine["seconds"], 2)
        result[algorithm]["times_faster_first"] = round(others["seconds"] / mine["first_seconds"], 2)
    result["devices"] = f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
    result["cores"] = available_cores()
    print(json.dumps(result | {"versions": versions()}))


if __name__ == "__main__":
    main()
