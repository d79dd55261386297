"""Groups against each other: what a decade of compute is worth, and how fast their losses fall."""

import itertools

import numpy as np

from slm_jax.scaling.bootstrap import Estimate, estimate
from slm_jax.scaling.growth import Growth
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.verdicts import judge

LN_10 = np.log(10)


def compare_groups(growths: dict[str, dict[str, Growth]]) -> list[dict]:
    """Each pair of groups on each task they share: the ratio of their gammas (Cuervo & Marxer 2024).

    With accuracy growing as C^gamma, one decade of the faster group's compute is worth gamma_ratio decades of
    the slower's. `levels` has the compute both need for the best accuracy of either: log10_flops of each
    group, decades = log10 of their ratio, extrapolated (groups that have not been there) and saturated
    (groups that stopped growing below it, of which the power law promises too much). The groups are resampled
    independently. What divides by the slower's gamma has no interval when that of this gamma includes zero.

    Args:
      growths: group -> task -> its law, from `fit_growth`.
    """
    rows = []
    for one, other in itertools.combinations(growths, 2):
        for task in growths[one]:
            if task not in growths[other]:
                continue
            pair = {name: growths[name][task] for name in (one, other)}
            slower, faster = sorted(pair, key=lambda name: pair[name].gamma_1B[0])
            if not pair[slower].gamma_1B[0] > 0:
                continue
            ratio = _between(pair, slower, pair[faster].gamma_1B / pair[slower].gamma_1B)
            rows.append(
                {
                    "task": task,
                    "faster": faster,
                    "slower": slower,
                    "gammas": {name: growth.estimate(growth.gamma_1B) for name, growth in pair.items()},
                    "gamma_ratio": ratio,
                    "levels": [_level(pair, slower, faster, name) for name in (slower, faster)],
                    "verdict": judge(ratio, above=1.0),
                }
            )
    return rows


def _level(pair: dict[str, Growth], slower: str, faster: str, best_of: str) -> dict:
    accuracy = float(pair[best_of].accuracy_F.max())
    log10_1B = {name: growth.log_flops_for(accuracy) / LN_10 for name, growth in pair.items()}
    return {
        "accuracy": accuracy,
        "best_of": best_of,
        "log10_flops": {name: _between({name: pair[name]}, name, log10_1B[name]) for name in pair},
        "decades": _between(pair, slower, log10_1B[slower] - log10_1B[faster]),
        "extrapolated": [name for name, growth in pair.items() if not _has_been_at(growth, accuracy)],
        "saturated": [name for name, growth in pair.items() if growth.accuracy(np.inf)[0] < accuracy],
    }


def _has_been_at(growth: Growth, accuracy: float) -> bool:
    return bool(growth.accuracy_F.min() <= accuracy <= growth.accuracy_F.max())


def _between(pair: dict[str, Growth], slower: str, samples_1B: np.ndarray) -> Estimate:
    """An estimate with the wider tail of the two groups, and only where the slower one surely grows."""
    tails = [growth.tail for growth in pair.values()]
    gamma = pair[slower].estimate(pair[slower].gamma_1B)
    sure = gamma["low"] is not None and gamma["low"] > 0
    return estimate(samples_1B[0], samples_1B[1:], min(tails) if sure and None not in tails else None)


def compare_exponents(fits: dict[str, LawFit]) -> list[dict]:
    """Each pair of groups with a plain loss law: differences of alpha, of beta, and of the exponent
    alpha beta / (alpha + beta) with which the reducible loss falls with compute.

    Returns rows of quantity, groups [one, other], difference (one minus the other, an estimate from
    independent resamples of each), and verdict on "they differ".
    """
    rows = []
    for one, other in itertools.combinations(fits, 2):
        exponents = [_exponents(fits[name]) for name in (one, other)]
        tails = [fits[name].tail for name in (one, other)]
        for quantity in exponents[0]:
            apart_1B = exponents[0][quantity] - exponents[1][quantity]
            found = estimate(apart_1B[0], apart_1B[1:], None if None in tails else min(tails))
            size = {"value": abs(found["value"]), "low": None, "high": None}
            if found["low"] is not None:
                least = max(found["low"], -found["high"], 0.0)
                size |= {"low": least, "high": max(abs(found["low"]), abs(found["high"]))}
            rows.append(
                {
                    "quantity": quantity,
                    "groups": [one, other],
                    "difference": found,
                    "verdict": judge(size, above=0.0),
                }
            )
    return rows


def _exponents(fit: LawFit) -> dict[str, np.ndarray]:
    alpha_1B, beta_1B = np.concatenate([fit.values_P[None], fit.values_BxP])[:, 3:5].T
    return {
        "alpha": alpha_1B,
        "beta": beta_1B,
        "reducible_exponent": alpha_1B * beta_1B / (alpha_1B + beta_1B),
    }
