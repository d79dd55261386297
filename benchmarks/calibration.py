"""How often the 95 % intervals of a fitted law hold the truth, in simulated studies with a known law.

python benchmarks/calibration.py [--law plain] [--studies 400] [--resamples 400]     one JSON line a law

Each study is a table of runs with a known law and log-normal noise on the loss, fitted as `slm fit` fits it
but from fewer starts (the law is known to be found). Beside the library's interval stand two others: the
plain percentiles of the same resamples, and those of the pairs bootstrap (rows drawn with replacement).
"""

import argparse
import concurrent.futures
import functools
import json
import multiprocessing
import time

import numpy as np

from slm_jax.cores import available_cores
from slm_jax.progress import progress
from slm_jax.scaling.bootstrap import estimate, resample_counts
from slm_jax.scaling.forms import DATA_CONSTRAINED, PLAIN
from slm_jax.scaling.frontier import allocation_exponents, optimum
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.solver import minimize
from slm_jax.versions import versions

NOISE = 0.005
PLAIN_LAW = (1.73, 13.9, 39.8, 0.25, 0.24)  # Cuervo & Marxer 2024
REPEATING_LAW = (1.87, 521.0, 1488.0, 0.353, 0.353, 5.31, 15.39)  # Muennighoff et al. 2023
CORPORA = (1e8, 4e8, 1.5e9)  # unique tokens
SPAN = 8.0  # sizes reach from 1/8 to 8 times the best of each budget
FEWER_STARTS = 45
PERCENTILE = 0.025


def isoflop_table(law, budgets: int, sizes: int, most: float):
    """N and D of `sizes` models around the best of each budget from 1e18 FLOPs to `most`."""
    flops = np.geomspace(1e18, most, budgets)[:, None]
    params = optimum(np.array(law[:5]), flops)[0] * np.geomspace(1 / SPAN, SPAN, sizes)
    return params.ravel(), (flops / (6 * params)).ravel()


def plain_table():
    return PLAIN, PLAIN_LAW, isoflop_table(PLAIN_LAW, 6, 7, 1e21)


def repeating_table():
    params, tokens = isoflop_table(REPEATING_LAW, 4, 5, 3e20)
    repeats = len(CORPORA)
    unique = np.repeat(CORPORA, len(params))
    return DATA_CONSTRAINED, REPEATING_LAW, (np.tile(params, repeats), np.tile(tokens, repeats), unique)


def quantities(values):
    """The parameters, the exponent a of N_opt ~ C^a and that of the reducible loss."""
    a = allocation_exponents(values[..., :5])[0]
    return np.concatenate([values, np.stack([a, a * values[..., 3]], axis=-1)], axis=-1)


def pairs_samples(fit: LawFit, columns, resamples: int, rng) -> np.ndarray:
    """Laws of tables made of rows drawn with replacement."""
    form, log_x_KxR = fit.form, np.log(columns)
    center_K = form.center(log_x_KxR)
    start_P = form.theta(fit.values_P)
    for term, exponent, column in ((1, 3, 0), (2, 4, 1)):
        start_P[term] -= start_P[exponent] * center_K[column]
    counts_BxR = resample_counts(len(fit.response_R), resamples, rng)
    theta_BxP, _ = minimize(
        form,
        np.tile(start_P, (resamples, 1)),
        log_x_KxR - center_K[:, None],
        fit.response_R,
        counts_BxR,
        form.box(fit.response_R.min()),
        leave=False,
    )
    return form.values(theta_BxP, center_K)


LAWS = {"plain": plain_table, "data_constrained": repeating_table}
KINDS = ("library", "residuals percentile", "pairs percentile")


def study(law: str, resamples: int, seed: int) -> np.ndarray:
    """Whether each kind of interval (rows) holds the truth of each quantity (columns) in one study."""
    form, values, columns = LAWS[law]()
    truth = quantities(np.array(values))
    rng = np.random.default_rng(seed)
    log_loss_R = np.log(form.loss(np.array(values), *columns))
    noisy_R = log_loss_R + NOISE * rng.standard_normal(len(log_loss_R))
    fit = LawFit(form, columns, noisy_R, resamples=resamples, rng=rng, every=FEWER_STARTS)
    found, own_BxQ = quantities(fit.values_P), quantities(fit.values_BxP)
    pairs_BxQ = quantities(pairs_samples(fit, columns, resamples, rng))
    held = []
    for samples_BxQ, tail in ((own_BxQ, fit.tail), (own_BxQ, PERCENTILE), (pairs_BxQ, PERCENTILE)):
        rows = [estimate(found[q], samples_BxQ[:, q], tail) for q in range(len(truth))]
        held.append([row["low"] <= true <= row["high"] for row, true in zip(rows, truth, strict=True)])
    return np.array(held)


def calibrate(law: str, studies: int, resamples: int) -> dict:
    """Share of studies whose interval holds the truth, for each quantity and kind of interval."""
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(available_cores(), mp_context=context) as pool:
        each = pool.map(functools.partial(study, law, resamples), range(studies), chunksize=10)
        held_KxQ = sum(progress(each, total=studies, desc=f"{law} studies")) / studies
    form, _, columns = LAWS[law]()
    names = [*form.symbols, "a", "reducible_exponent"]
    return {
        "benchmark": "calibration",
        "law": law,
        "runs": len(columns[0]),
        "noise": NOISE,
        "studies": studies,
        "resamples": resamples,
        "standard_error": round(float(np.sqrt(0.95 * 0.05 / studies)), 4),
        "held": {
            kind: dict(zip(names, np.round(held_Q, 4).tolist(), strict=True))
            for kind, held_Q in zip(KINDS, held_KxQ, strict=True)
        },
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--law", choices=LAWS, help="only this one")
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=400)
    options = parser.parse_args()
    for law in [options.law] if options.law else LAWS:
        print(json.dumps(calibrate(law, options.studies, options.resamples)), flush=True)


if __name__ == "__main__":
    main()
