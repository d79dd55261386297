"""The grid fit of the loss law, against SciPy's L-BFGS-B from the same starts, in seconds of two cores.

python benchmarks/scaling_fit.py [--runs 240] [--resamples 1000] [--every 10]     one JSON line

Both minimize Huber's loss of log L from the 4,500 starts of Hoffmann et al. 2022 inside the same box; slm_jax
also fits the resamples, as `slm fit` does. SciPy gets the gradient in closed form, one process a core, and
every tenth start: `seconds_all_starts` is ten times what those took.
"""

import argparse
import concurrent.futures
import functools
import json
import multiprocessing
import time

import numpy as np
from scipy import optimize

from slm_jax.cores import available_cores
from slm_jax.scaling.forms import PLAIN
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.solver import HUBER_DELTA
from slm_jax.versions import versions

LAW = np.array([1.73, 13.9, 39.8, 0.25, 0.24])  # Cuervo & Marxer 2024
NOISE = 0.01
BUDGETS = 16
SCALE = 1e3  # keeps SciPy's tolerances away from the size of the objective


def make_table(runs: int):
    params, flops = np.meshgrid(np.geomspace(1e7, 3e9, runs // BUDGETS), np.geomspace(1e18, 1e22, BUDGETS))
    params, tokens = params.ravel(), (flops / (6 * params)).ravel()
    noise_R = NOISE * np.random.default_rng(0).standard_normal(len(params))
    return np.array([params, tokens]), np.log(PLAIN.loss(LAW, params, tokens)) + noise_R


def objective(theta, x, y, log_loss):
    """Huber's loss of the residuals and its gradient."""
    e, a, b, alpha, beta = theta
    terms = np.exp(np.stack([np.full_like(x, e), a - alpha * x, b - beta * y]))
    total = terms.sum(axis=0)
    share = terms / total
    residual = np.log(total) - log_loss
    size = np.abs(residual)
    near = np.minimum(size, HUBER_DELTA)
    pull = SCALE * np.clip(residual, -HUBER_DELTA, HUBER_DELTA)
    slopes = np.stack([share[0], share[1], share[2], -x * share[1], -y * share[2]])
    return SCALE * (near * (size - 0.5 * near)).sum(), slopes @ pull


def by_scipy(start, rows, box) -> tuple[float, list[float], float]:
    """Objective, theta and the CPU seconds it took."""
    started = time.process_time()
    found = optimize.minimize(
        objective,
        np.clip(start, *box),
        args=rows,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(*box, strict=True)),
        options={"maxiter": 1000},
    )
    return found.fun / SCALE, found.x.tolist(), time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=240)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--every", type=int, default=10, help="SciPy gets every so many starts")
    options = parser.parse_args()
    columns, log_loss_R = make_table(options.runs)

    started, cpu_started = time.perf_counter(), time.process_time()
    fit = LawFit(PLAIN, columns, log_loss_R, resamples=options.resamples, rng=np.random.default_rng(0))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started

    log_x = np.log(columns)
    center = PLAIN.center(log_x)
    rows = (*(log_x - center[:, None]), log_loss_R)
    starts, box = PLAIN.starts(center), PLAIN.box(log_loss_R.min())
    work = functools.partial(by_scipy, rows=rows, box=box.tolist())
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(available_cores(), mp_context=context) as pool:
        list(pool.map(work, starts[:8]))  # starts the processes
        started = time.perf_counter()
        found = list(pool.map(work, starts[:: options.every], chunksize=10))
        scipy_seconds = time.perf_counter() - started
    values_S = np.array([value for value, _, _ in found])
    scale = len(starts) / len(found)
    best = int(values_S.argmin())
    result = {
        "benchmark": "scaling_fit",
        "runs": len(log_loss_R),
        "starts": len(starts),
        "resamples": options.resamples,
        "cores": available_cores(),
        "slm_jax": {
            "seconds_with_resamples": round(seconds, 1),
            "cpu_seconds_with_resamples": round(cpu_seconds, 1),
            "objective": fit.objective,
            "starts_at_optimum": fit.starts_at_optimum,
            "law": dict(zip(PLAIN.symbols, fit.values_P.tolist(), strict=True)),
        },
        "scipy": {
            "starts": len(found),
            "seconds_all_starts": round(scale * scipy_seconds, 1),
            "cpu_seconds_all_starts": round(scale * sum(cpu for _, _, cpu in found), 1),
            "objective": float(values_S.min()),
            "starts_at_optimum": int((values_S <= fit.objective * (1 + 1e-4)).sum()),
            "law": dict(
                zip(PLAIN.symbols, PLAIN.values(np.array(found[best][1]), center).tolist(), strict=True)
            ),
        },
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
