"""IsoFLOP profiles: loss against size at a fixed compute budget (Hoffmann et al. 2022, approach 2)."""

import numpy as np

from slm_jax.scaling.bootstrap import estimate, expanded_tail
from slm_jax.scaling.frontier import SAME_BUDGET
from slm_jax.scaling.power_law import fit_lines

MIN_SIZES = 3


def compute_budgets(flops_R: np.ndarray) -> list[np.ndarray]:
    """Rows of each compute budget, by increasing compute: those within 10 % of the budget's least run."""
    budgets, least = [], 0.0
    for row in np.argsort(flops_R, kind="stable"):
        if flops_R[row] > least * SAME_BUDGET:
            budgets.append([])
            least = flops_R[row]
        budgets[-1].append(row)
    return [np.array(rows) for rows in budgets]


def shared_budgets(params_R: np.ndarray, flops_R: np.ndarray) -> list[np.ndarray]:
    """Rows of each compute budget that at least three sizes share, by increasing compute."""
    return [rows for rows in compute_budgets(flops_R) if len(np.unique(params_R[rows])) >= MIN_SIZES]


def fit_isoflop(params_R, flops_R, loss_R, counts_BxR) -> dict | None:
    """Fits a parabola of log loss in log N to every shared budget and a power law to their minima.

    Returns:
      budgets: flops, params and loss at the minimum (estimates), the parabola's coefficients in log N
      (highest first), and inside (whether the minimum lies between the smallest and largest size); exponent:
      of N_opt(C) from two or more minima inside, else None. None when no budget is shared by three sizes.
    """
    budgets = shared_budgets(params_R, flops_R)
    if not budgets:
        return None
    weight_BxR = np.concatenate([np.ones((1, len(params_R))), counts_BxR])
    found, minima = [], []
    for rows in budgets:
        log_n, log_loss = np.log(params_R[rows]), np.log(loss_R[rows])
        center = log_n.mean()
        bowl_Bx3 = _fit_parabolas(log_n - center, log_loss, weight_BxR[:, rows])
        lowest, highest = log_n.min() - center, log_n.max() - center
        with np.errstate(divide="ignore", invalid="ignore"):
            place_B = np.where(bowl_Bx3[:, 0] > 0, -bowl_Bx3[:, 1] / (2 * bowl_Bx3[:, 0]), np.nan)
        place_B = np.where((place_B >= lowest) & (place_B <= highest), place_B, np.nan)
        depth_B = bowl_Bx3[:, 2] + place_B * (bowl_Bx3[:, 1] + place_B * bowl_Bx3[:, 0])
        inside = bool(np.isfinite(place_B[0]))
        flops = float(np.exp(np.log(flops_R[rows]).mean()))
        tail = expanded_tail(len(rows), 3)
        size_B, loss_B = np.exp(center + place_B), np.exp(depth_B)
        found.append(
            {
                "flops": flops,
                "runs": len(rows),
                "inside": inside,
                "params": estimate(size_B[0], size_B[1:], tail) if inside else None,
                "loss": estimate(loss_B[0], loss_B[1:], tail) if inside else None,
                "parabola": {"center": float(center), "coefficients": [float(c) for c in bowl_Bx3[0]]},
            }
        )
        if inside:
            minima.append((np.log(flops), center + place_B))
    return {"budgets": found, "exponent": _exponent(minima, sum(len(rows) for rows in budgets))}


def _fit_parabolas(x_R, y_R, weight_BxR) -> np.ndarray:
    """Weighted least squares y = c2 x^2 + c1 x + c0; NaN where fewer than three x have weight."""
    powers_Rx3 = np.stack([x_R**2, x_R, np.ones_like(x_R)], axis=1)
    normal_Bx3x3 = np.einsum("br,ri,rj->bij", weight_BxR, powers_Rx3, powers_Rx3)
    right_Bx3 = weight_BxR @ (powers_Rx3 * y_R[:, None])
    enough_B = sum(weight_BxR[:, x_R == x].any(axis=1).astype(int) for x in np.unique(x_R)) >= 3
    normal_Bx3x3[~enough_B] = np.eye(3)
    bowl_Bx3 = np.linalg.solve(normal_Bx3x3, right_Bx3[..., None])[..., 0]
    return np.where(enough_B[:, None], bowl_Bx3, np.nan)


def _exponent(minima: list, runs: int):
    """Slope of log N_opt in log C over the budgets whose minimum is inside, in each resample that has two."""
    if len(minima) < 2:
        return None
    log_c_M = np.array([log_c for log_c, _ in minima])
    log_n_BxM = np.stack([log_n_B for _, log_n_B in minima], axis=1)
    slopes = [
        fit_lines(log_c_M[ok], log_n_M[ok], np.ones((1, ok.sum())))[1][0] if ok.sum() >= 2 else np.nan
        for log_n_M, ok in zip(log_n_BxM, np.isfinite(log_n_BxM), strict=True)
    ]
    return estimate(slopes[0], np.array(slopes[1:]), expanded_tail(runs, 3 * len(minima)))
