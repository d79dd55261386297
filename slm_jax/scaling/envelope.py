"""The envelope of training curves: the lowest loss at each compute (Hoffmann et al. 2022, approach 1)."""

import numpy as np

from slm_jax.scaling.bootstrap import Estimate, estimate, expanded_tail

POINTS = 200

Curves = dict[str, tuple[np.ndarray, np.ndarray, float]]  # run: (flops_S, loss_S, params)


def envelope(curves: Curves, points: int = POINTS) -> dict | None:
    """Lowest loss and the size that reached it, on a logarithmic grid of compute.

    Only compute that every size's curves could contest counts: between the last curve to start and the
    largest compute, each curve interpolated linearly in log C and never extrapolated.

    Returns:
      flops_P, loss_P, params_P and curve_CxP (losses, infinite where a curve has none); None without two
      curves.
    """
    if len(curves) < 2:
        return None
    start = max(flops_S[0] for flops_S, _, _ in curves.values())
    end = max(flops_S[-1] for flops_S, _, _ in curves.values())
    if end <= start:
        return None
    flops_P = np.geomspace(start, end, points)
    curve_CxP = np.stack(
        [
            np.interp(np.log(flops_P), np.log(flops_S), loss_S, left=np.inf, right=np.inf)
            for flops_S, loss_S, _ in curves.values()
        ]
    )
    params_C = np.array([params for _, _, params in curves.values()], float)
    return {
        "flops_P": flops_P,
        "loss_P": curve_CxP.min(axis=0),
        "params_P": params_C[curve_CxP.argmin(axis=0)],
        "curve_CxP": curve_CxP,
        "params_C": params_C,
    }


def fit_envelope(curves: Curves, resamples: int, rng: np.random.Generator) -> Estimate | None:
    """Exponent a of N_opt(C) ~ C^a of the sizes along the envelope, its interval from resampled curves."""
    found = envelope(curves)
    if found is None or len(np.unique(found["params_C"])) < 2:
        return None
    log_c_P, curve_CxP, params_C = np.log(found["flops_P"]), found["curve_CxP"], found["params_C"]
    value = _slope(log_c_P, curve_CxP, params_C)
    samples = []
    for _ in range(resamples):
        rows = np.unique(rng.integers(len(curves), size=len(curves)))
        samples.append(_slope(log_c_P, curve_CxP[rows], params_C[rows]))
    if not 0 < value < 1:  # C = 6 N D splits compute between size and data: else the curves hardly cross
        return None
    return estimate(value, np.array(samples), expanded_tail(len(curves), 2))


def _slope(log_c_P, curve_CxP, params_C) -> float:
    """Least squares slope of the winner's log size; NaN where the curves reach fewer than two points."""
    reached_P = np.isfinite(curve_CxP.min(axis=0))
    if reached_P.sum() < 2:
        return np.nan
    log_n_P = np.log(params_C[curve_CxP.argmin(axis=0)])[reached_P]
    return float(np.polyfit(log_c_P[reached_P], log_n_P, 1)[0])
