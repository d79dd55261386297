"""Lines and power laws by least squares, for one table or for all its resamples at once."""

import numpy as np

from slm_jax.scaling.bootstrap import estimate, expanded_tail, resample_counts


def fit_lines(x_R: np.ndarray, y_R: np.ndarray, weight_BxR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares lines y = intercept + slope x; NaN where the weights leave fewer than two x."""
    total_B = weight_BxR.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x_B, mean_y_B = weight_BxR @ x_R / total_B, weight_BxR @ y_R / total_B
        dx_BxR = x_R - mean_x_B[:, None]
        spread_B = (weight_BxR * dx_BxR**2).sum(axis=1)
        slope_B = (weight_BxR * dx_BxR * (y_R - mean_y_B[:, None])).sum(axis=1) / spread_B
    slope_B = np.where(
        spread_B > 1e-12 * np.maximum(total_B, 1) * max(np.ptp(x_R) ** 2, 1e-300), slope_B, np.nan
    )
    return mean_y_B - slope_B * mean_x_B, slope_B


def fit_power_law(
    flops_F: np.ndarray,
    y_F: np.ndarray,
    flops_P: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
    ceiling: float = np.inf,
) -> dict | None:
    """y = scale (C / reference)^exponent by least squares on logarithms, resampling the points given.

    Args:
      flops_F, y_F: positive numbers.
      flops_P: where to predict y; no prediction exceeds `ceiling`.

    Returns:
      exponent and scale (estimates), reference (geometric mean of `flops_F`), r_squared of the logarithms,
      runs, and points, the predictions. None when fewer than two different C are given.
    """
    if len(flops_F) < 2 or np.ptp(np.log(flops_F)) < 1e-9:
        return None
    runs = len(flops_F)
    log_c_F, log_y_F = np.log(flops_F), np.log(y_F)
    center = log_c_F.mean()
    weight_BxF = np.concatenate([np.ones((1, runs)), resample_counts(runs, resamples, rng)])
    intercept_B, slope_B = fit_lines(log_c_F - center, log_y_F, weight_BxF)

    tail = expanded_tail(runs, 2)

    def with_interval(samples_B):
        return estimate(samples_B[0], samples_B[1:], tail)

    residual_F = log_y_F - intercept_B[0] - slope_B[0] * (log_c_F - center)
    variance = np.var(log_y_F)
    points = []
    for flops in flops_P:
        y_B = np.exp(intercept_B + slope_B * (np.log(flops) - center))
        found = with_interval(np.where(np.isfinite(y_B), np.minimum(y_B, ceiling), np.nan))
        points.append({"flops": float(flops), "extrapolated": bool(flops > flops_F.max()), **found})
    return {
        "exponent": with_interval(slope_B),
        "scale": with_interval(np.exp(intercept_B)),
        "reference": float(np.exp(center)),
        "r_squared": float(1 - np.mean(residual_F**2) / variance) if variance > 0 else 0.0,
        "runs": runs,
        "points": points,
    }
