"""How often the 95 % intervals of a fitted law hold the truth, in simulated studies with a known law.

python benchmarks/calibration.py [--law plain] [--studies 500] [--resamples 400]     one JSON line a law

Each study is a table of runs with a known law and log-normal noise on the loss. The studies are fitted as
`slm fit` fits one, but from fewer starts, and the resamples of fifty studies at once. Beside the library's
interval stand two others: the plain percentiles of the same resamples, and those of the pairs bootstrap (rows
drawn with replacement).
"""

import argparse
import json
import time

import numpy as np

from slm_jax.progress import progress
from slm_jax.scaling.bootstrap import estimate, expanded_tail, redrawn_errors, resample_counts
from slm_jax.scaling.forms import DATA_CONSTRAINED, PLAIN
from slm_jax.scaling.forms.form import evaluate
from slm_jax.scaling.frontier import allocation_exponents, optimum
from slm_jax.scaling.solver import minimize
from slm_jax.versions import versions

NOISE = 0.005
PLAIN_LAW = (1.73, 13.9, 39.8, 0.25, 0.24)  # Cuervo & Marxer 2024
REPEATING_LAW = (1.87, 521.0, 1488.0, 0.353, 0.353, 5.31, 15.39)  # Muennighoff et al. 2023
CORPORA = (1e8, 4e8, 1.5e9)  # unique tokens
SPAN = 8.0  # sizes reach from 1/8 to 8 times the best of each budget
FEWER_STARTS = 45
PERCENTILE = 0.025
STUDIES_TOGETHER = 50


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


class Studies:
    """S simulated studies of one law: their best fits theta_SxP, and the laws of their resamples."""

    def __init__(self, form, law, columns, seeds):
        self.form, self.log_x_KxR = form, np.log(columns)
        self.center_K = form.center(self.log_x_KxR)
        self.x_KxR = self.log_x_KxR - self.center_K[:, None]
        log_loss_R = np.log(form.loss(np.array(law), *columns))
        self.rng = np.random.default_rng([seeds[0], 1])
        noise_SxR = [np.random.default_rng(seed).standard_normal(len(log_loss_R)) for seed in seeds]
        self.response_SxR = log_loss_R + NOISE * np.array(noise_SxR)
        self.box_2xP = form.box(self.response_SxR.min())

        starts_MxP = form.starts(self.center_K)[::FEWER_STARTS]
        studies, starts = len(seeds), len(starts_MxP)
        response = np.repeat(self.response_SxR, starts, axis=0)
        theta, objective = self._minimize(np.tile(starts_MxP, (studies, 1)), response, np.ones_like(response))
        best_S = objective.reshape(studies, starts).argmin(axis=1)
        self.theta_SxP = theta.reshape(studies, starts, -1)[np.arange(studies), best_S]

    def _minimize(self, starts, response, weight):
        desc = f"{self.form.name} studies"
        return minimize(self.form, starts, self.x_KxR, response, weight, self.box_2xP, desc=desc, leave=False)

    def values(self) -> np.ndarray:
        return self.form.values(self.theta_SxP, self.center_K)

    def by_residuals(self, resamples: int) -> np.ndarray:
        """Laws of tables with redrawn errors: SxBxP."""
        fitted_SxR = np.stack([evaluate(self.form, theta, self.x_KxR) for theta in self.theta_SxP])
        parameters = self.theta_SxP.shape[1]
        response = [
            fitted_R + redrawn_errors(response_R - fitted_R, parameters, resamples, self.rng)
            for fitted_R, response_R in zip(fitted_SxR, self.response_SxR, strict=True)
        ]
        return self._refit(np.concatenate(response), np.ones((len(response) * resamples, len(fitted_SxR[0]))))

    def by_pairs(self, resamples: int) -> np.ndarray:
        """Laws of tables made of rows drawn with replacement: SxBxP."""
        studies, rows = self.response_SxR.shape
        counts = resample_counts(rows, studies * resamples, self.rng)
        return self._refit(np.repeat(self.response_SxR, resamples, axis=0), counts)

    def _refit(self, response, weight) -> np.ndarray:
        studies = len(self.theta_SxP)
        starts = np.repeat(self.theta_SxP, len(response) // studies, axis=0)
        theta, _ = self._minimize(starts, response, weight)
        return self.form.values(theta, self.center_K).reshape(studies, -1, theta.shape[1])


def holds(values_SxQ, samples_SxBxQ, tail: float, truth_Q) -> np.ndarray:
    """In how many of the studies the interval of each quantity holds its truth."""
    held_Q = np.zeros(len(truth_Q))
    for value_Q, samples_BxQ in zip(values_SxQ, samples_SxBxQ, strict=True):
        found = [estimate(value_Q[q], samples_BxQ[:, q], tail) for q in range(len(truth_Q))]
        held_Q += [row["low"] <= true <= row["high"] for row, true in zip(found, truth_Q, strict=True)]
    return held_Q


def calibrate(form, law, columns, *, studies: int, resamples: int) -> dict:
    """Share of studies whose interval holds the truth, for each quantity and kind of interval."""
    truth_Q, names = quantities(np.array(law)), [*form.symbols, "a", "reducible_exponent"]
    tail = expanded_tail(len(columns[0]), len(form.symbols))
    held = {"library": 0, "residuals percentile": 0, "pairs percentile": 0}
    started = time.perf_counter(), time.process_time()
    for first in progress(range(0, studies, STUDIES_TOGETHER), desc=form.name):
        seeds = range(first, min(first + STUDIES_TOGETHER, studies))
        some = Studies(form, law, columns, seeds)
        values = quantities(some.values())
        own = quantities(some.by_residuals(resamples))
        held["library"] += holds(values, own, tail, truth_Q)
        held["residuals percentile"] += holds(values, own, PERCENTILE, truth_Q)
        held["pairs percentile"] += holds(values, quantities(some.by_pairs(resamples)), PERCENTILE, truth_Q)
    return {
        "benchmark": "calibration",
        "law": form.name,
        "runs": len(columns[0]),
        "noise": NOISE,
        "studies": studies,
        "resamples": resamples,
        "standard_error": round(float(np.sqrt(0.95 * 0.05 / studies)), 4),
        "held": {
            kind: dict(zip(names, np.round(count_Q / studies, 4).tolist(), strict=True))
            for kind, count_Q in held.items()
        },
        "seconds": round(time.perf_counter() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
        "versions": versions(),
    }


LAWS = {"plain": plain_table, "data_constrained": repeating_table}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--law", choices=LAWS, help="only this one")
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=400)
    options = parser.parse_args()
    for name in [options.law] if options.law else LAWS:
        found = calibrate(*LAWS[name](), studies=options.studies, resamples=options.resamples)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
