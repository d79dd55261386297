"""Groups against each other: how much compute of one a decade of the other's is worth."""

import itertools

import numpy as np

from slm_jax.scaling.bootstrap import estimate, expanded_tail, resample_counts
from slm_jax.scaling.downstream import frontier_accuracy
from slm_jax.scaling.power_law import fit_lines
from slm_jax.scaling.table import Runs
from slm_jax.scaling.verdicts import judge


def compare_groups(groups: dict[str, Runs], resamples: int, rng: np.random.Generator) -> list[dict]:
    """The ratio of the gammas of each pair of groups on each task they share (Cuervo & Marxer 2024).

    With accuracy growing as C^gamma, one decade of the faster group's compute is worth gamma_ratio decades of
    the slower's. The ratio has no interval when that of the slower's gamma includes zero.
    """
    rows = []
    for one, other in itertools.combinations(groups, 2):
        for task in groups[one].tasks:
            if task not in groups[other].tasks:
                continue
            gammas = {name: _gammas(groups[name], task, resamples, rng) for name in (one, other)}
            slower, faster = sorted(gammas, key=lambda name: gammas[name][0][0])
            (slow_B, slow_runs), (fast_B, fast_runs) = gammas[slower], gammas[faster]
            if not (np.isfinite(fast_B[0]) and slow_B[0] > 0):
                continue
            samples_B = fast_B[1:] / slow_B[1:]
            slow = estimate(slow_B[0], slow_B[1:], expanded_tail(slow_runs, 2))
            if slow["low"] is None or slow["low"] <= 0:
                samples_B = np.full_like(samples_B, np.nan)
            ratio = estimate(fast_B[0] / slow_B[0], samples_B, expanded_tail(min(slow_runs, fast_runs), 2))
            rows.append(
                {
                    "task": task,
                    "faster": faster,
                    "slower": slower,
                    "gamma_ratio": ratio,
                    "verdict": judge(ratio, above=1.0),
                }
            )
    return rows


def _gammas(runs: Runs, task: str, resamples: int, rng) -> tuple[np.ndarray, int]:
    """Gamma of the table and of each resample of its frontier runs, and how many those are."""
    flops_F, accuracy_F = frontier_accuracy(runs, task)
    count = len(flops_F)
    if count < 2:
        return np.full(resamples + 1, np.nan), count
    weight_BxF = np.concatenate([np.ones((1, count)), resample_counts(count, resamples, rng)])
    return fit_lines(np.log(flops_F), np.log(accuracy_F), weight_BxF)[1], count
