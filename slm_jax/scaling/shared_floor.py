"""Whether two groups of runs share one irreducible loss."""

import itertools

import numpy as np

from slm_jax.scaling.bootstrap import estimate
from slm_jax.scaling.forms.shared_floor import SharedFloor
from slm_jax.scaling.law_fit import LawFit, laplace_bic
from slm_jax.scaling.table import Runs
from slm_jax.scaling.verdicts import CANNOT_TELL, NOT_SUPPORTED, SUPPORTED

CLEAR_BIC = 2.0  # a smaller difference is "not worth more than a bare mention" (Kass & Raftery 1995)


def compare_floors(groups: dict[str, Runs], fits: dict[str, LawFit], resamples: int, rng) -> list[dict]:
    """For each two groups with a loss law: E of the joint fit that shares it, against two separate fits.

    Returns rows of groups, E (estimate under the joint fit), difference (E of the first minus E of the
    second, from the separate fits), bic_shared and bic_separate, and the verdict on "the groups share one E":
    the information criteria decide, and must not contradict the interval of the difference.
    """
    rows = []
    for pair in itertools.combinations([name for name in groups if name in fits], 2):
        one, other = (fits[name] for name in pair)
        runs = [groups[name] for name in pair]
        columns = [
            np.concatenate([group.params_R for group in runs]),
            np.concatenate([group.tokens_R for group in runs]),
            np.repeat(np.exp([0.0, 1.0]), [len(group) for group in runs]),
        ]
        joint = LawFit(
            SharedFloor(np.stack([one.values_P, other.values_P])),
            columns,
            np.concatenate([one.response_R, other.response_R]),
            resamples=resamples,
            rng=rng,
        )
        tails = [fit.tail for fit in (one, other)]
        difference = estimate(
            one.values_P[0] - other.values_P[0],
            one.values_BxP[:, 0] - other.values_BxP[:, 0],
            None if None in tails else min(tails),
        )
        separate = laplace_bic(np.concatenate([one.residual_R, other.residual_R]), 10)
        rows.append(
            {
                "groups": list(pair),
                "E": joint.parameters()["E"],
                "difference": difference,
                "bic_shared": joint.bic(),
                "bic_separate": separate,
                "verdict": _verdict(joint.bic() - separate, difference),
            }
        )
    return rows


def _verdict(excess: float, difference: dict) -> str:
    if abs(excess) < CLEAR_BIC or difference["low"] is None:
        return CANNOT_TELL
    apart = difference["low"] > 0 or difference["high"] < 0
    if (excess > 0) != apart:
        return CANNOT_TELL
    return NOT_SUPPORTED if apart else SUPPORTED
