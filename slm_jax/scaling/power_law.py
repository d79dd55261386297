"""y = y0 (x / x0)^k by least squares on logarithms, for one table or for all its resamples at once."""

import numpy as np

from slm_jax.scaling.bootstrap import estimate


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
    x_R: np.ndarray, y_R: np.ndarray, used_R: np.ndarray, used_BxR: np.ndarray, at: np.ndarray
) -> dict | None:
    """The power law through the used rows, with intervals from the rows used in each resample.

    Args:
      x_R, y_R: positive numbers.
      used_R: weights of the rows in the fit; used_BxR: the same in each resample.
      at: where to evaluate the law, with intervals.

    Returns:
      exponent and scale as estimates, reference (x0, the geometric mean of the used x, where y is `scale`),
      r_squared of the logarithms, runs (how many rows were used), and `values`, one estimate for each of
      `at`. None when the rows have fewer than two different x.
    """
    log_x_R, log_y_R = np.log(x_R), np.log(y_R)
    used = used_R > 0
    if used.sum() < 2 or np.ptp(log_x_R[used]) < 1e-9:
        return None
    center = float(np.average(log_x_R, weights=used_R))
    weight_BxR = np.concatenate([used_R[None], used_BxR])
    intercept_B, slope_B = fit_lines(log_x_R - center, log_y_R, weight_BxR)
    values_BxP = np.exp(intercept_B[:, None] + slope_B[:, None] * (np.log(at) - center))
    points = int(used.sum())

    def with_interval(samples_B):
        return estimate(samples_B[0], samples_B[1:], points, 2)

    residual_R = log_y_R - intercept_B[0] - slope_B[0] * (log_x_R - center)
    variance = np.average((log_y_R - np.average(log_y_R, weights=used_R)) ** 2, weights=used_R)
    explained = 1 - np.average(residual_R**2, weights=used_R) / variance if variance > 0 else 0.0
    return {
        "exponent": with_interval(slope_B),
        "scale": with_interval(np.exp(intercept_B)),
        "reference": float(np.exp(center)),
        "r_squared": float(explained),
        "runs": points,
        "values": [with_interval(values_B) for values_B in values_BxP.T],
        "exponent_samples": slope_B[1:],
    }
