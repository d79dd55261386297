"""A form fitted to a table: the optimum from a grid of starts, its resamples, and how the fit went."""

import numpy as np
from scipy import stats

from slm_jax.scaling.bootstrap import estimate, expanded_tail, redrawn_errors, resample_counts
from slm_jax.scaling.forms.form import Form, evaluate, jacobian
from slm_jax.scaling.solver import HUBER_DELTA, minimize

WARM_STARTS = 4  # of each resample: as good as 150 in trials, where one alone misses some optima
WORTH_A_START = 1.5  # times the best objective: an optimum worse than that is no resample's best
SAME_OPTIMUM = 1e-4  # relative difference of the objective


class LawFit:
    """A form fitted by Huber's loss of its response, with the fits of the resampled tables.

    Attributes:
      values_P, values_BxP: parameters in natural units, of the table and of each resample.
      objective; starts, starts_at_optimum: of the grid; flatness_P: range of theta among equally good fits.
      residual_R: measured minus fitted response (log L).
      tail: the share of resamples beyond each end of an interval, None when there are too few runs.
    """

    def __init__(
        self, form: Form, columns_KxR, response_R, *, resamples: int, rng, run_R=None, every: int = 1
    ):
        """Fits `form`.

        Args:
          columns_KxR: the form's columns, positive numbers.
          response_R: what is fitted, the log of the loss.
          resamples: tables redrawn for the intervals. Each row gets a new error, drawn from the residuals;
            but when several rows belong to one run (`run_R`), whole runs are drawn with replacement.
          every: uses each `every`-th start of the form's grid.
        """
        self.form, self.response_R = form, np.asarray(response_R, float)
        self._log_x_KxR = np.log(np.asarray(columns_KxR, float))
        self._center_K = form.center(self._log_x_KxR)
        self._box_2xP = form.box(self.response_R.min())
        rows, parameters = len(self.response_R), len(form.symbols)

        starts_SxP = form.starts(self._center_K)[::every]
        theta_SxP, objective_S = self._minimize(
            starts_SxP, self.response_R, np.broadcast_to(1.0, (len(starts_SxP), rows)), "starts"
        )
        best = int(objective_S.argmin())
        self._theta_P, self.objective = theta_SxP[best], float(objective_S[best])
        at_optimum_S = _as_good_as(objective_S, self.objective)
        self.starts, self.starts_at_optimum = len(objective_S), int(at_optimum_S.sum())
        self.flatness_P = np.ptp(theta_SxP[at_optimum_S], axis=0)
        self.values_P = form.values(self._theta_P, self._center_K)
        fitted_R = evaluate(form, self._theta_P, self._log_x_KxR - self._center_K[:, None])
        self.residual_R = self.response_R - fitted_R

        runs = rows if run_R is None else len(set(run_R))
        self.tail = expanded_tail(runs, parameters)
        if runs < rows:
            self.bootstrap = "runs"
            weight_BxR = resample_counts(rows, resamples, rng, run_R)
            response_BxR = np.broadcast_to(self.response_R, weight_BxR.shape)
        else:
            self.bootstrap = "residuals"
            response_BxR = fitted_R + redrawn_errors(self.residual_R, parameters, resamples, rng)
            weight_BxR = np.ones_like(response_BxR)
        warm_WxP = _distinct_optima(theta_SxP, objective_S)
        warm = len(warm_WxP)
        theta, objective = self._minimize(
            np.tile(warm_WxP, (resamples, 1)),
            np.repeat(response_BxR, warm, axis=0),
            np.repeat(weight_BxR, warm, axis=0),
            "resamples",
        )
        chosen_B = _one_of_the_best(objective.reshape(resamples, warm))
        theta_BxP = theta.reshape(resamples, warm, parameters)[np.arange(resamples), chosen_B]
        self.values_BxP = form.values(theta_BxP, self._center_K)

    def _minimize(self, starts, response, weight, what):
        x_KxR = self._log_x_KxR - self._center_K[:, None]
        desc = f"{self.form.name} law, {what}".replace("_", " ")
        return minimize(self.form, starts, x_KxR, response, weight, self._box_2xP, desc=desc)

    def estimate(self, value, samples_B):
        """Any function of the parameters: its value and its interval from the resamples."""
        return estimate(float(value), np.asarray(samples_B, float), self.tail)

    def parameters(self) -> dict:
        """Every parameter of the form with its interval, by name."""
        return {
            symbol: self.estimate(self.values_P[i], self.values_BxP[:, i])
            for i, symbol in enumerate(self.form.symbols)
        }

    def at_bounds(self) -> list[str]:
        """Names of the parameters of the best fit that lie on their bound."""
        return [name for name, held in zip(self.form.symbols, self._held_P(), strict=True) if held]

    def record(self) -> dict:
        """What laws.json holds of the fit."""
        return {
            **self.parameters(),
            "formula": self.form.formula,
            "objective": self.objective,
            "huber_delta": HUBER_DELTA,
            "starts": self.starts,
            "starts_at_optimum": self.starts_at_optimum,
            "at_bounds": self.at_bounds(),
            "bootstrap": self.bootstrap,
            "tail": self.tail,
            "bic": self.bic(),
            "noise": self.noise(),
            "covariance": {"of": list(self.form.coordinates), "matrix": self.covariance().tolist()},
            "residuals": self.residual_R.tolist(),
        }

    def samples(self) -> list[list[float]]:
        """The parameters of each resample, to the digits that matter."""
        return [[float(f"{value:.9g}") for value in values_P] for values_P in self.values_BxP]

    def _held_P(self) -> np.ndarray:
        return (self._theta_P <= self._box_2xP[0]) | (self._theta_P >= self._box_2xP[1])

    def noise(self) -> float:
        """Standard deviation that a run effectively carries into the fit: sqrt(E psi^2) / E psi'."""
        pull_R = np.clip(self.residual_R, -HUBER_DELTA, HUBER_DELTA)
        spare = max(len(pull_R) - len(self.form.symbols), 1)
        return float(np.sqrt((pull_R**2).sum() / spare) / self._share_within_delta())

    def _share_within_delta(self) -> float:
        """Share of errors within delta, where Huber's loss curves: 2 delta times their density at zero.

        Too few residuals fall there to count them: the density is read off the spacing of the quantiles
        around the median, as far apart as Hall & Sheather (1988) advise, without the residuals that are zero
        by construction.
        """
        kept = np.sort(np.abs(self.residual_R))[min(len(self.form.symbols), len(self.residual_R) - 1) :]
        spread = np.quantile(kept, min(2 * _hall_sheather(len(kept)), 1.0))
        density = min(2 * _hall_sheather(len(kept)), 1.0) / max(2 * spread, 1e-300)
        return min(2 * HUBER_DELTA * density, 1.0)

    def covariance(self) -> np.ndarray:
        """Sandwich covariance PxP of the form's `coordinates` (Huber 1973), zero for parameters on a bound.

        pinv(J) diag(psi^2) pinv(J)' / (E psi')^2 with J the derivatives of the response, psi Huber's clipped
        residuals, and the factor R / (R - P) for the parameters spent.
        """
        free_P = ~self._held_P()
        J_RxP = jacobian(self.form, self.form.theta(self.values_P), self._log_x_KxR)[:, free_P]
        pull_R = np.clip(self.residual_R, -HUBER_DELTA, HUBER_DELTA)
        half = np.linalg.pinv(J_RxP) * pull_R / self._share_within_delta()
        rows, parameters = J_RxP.shape
        covariance = np.zeros((len(free_P), len(free_P)))
        covariance[np.ix_(free_P, free_P)] = half @ half.T * rows / max(rows - parameters, 1)
        return covariance

    def bic(self) -> float:
        """The information criterion of the fit, see `laplace_bic`."""
        return laplace_bic(self.residual_R, len(self.form.symbols))


def laplace_bic(residual_R: np.ndarray, parameters: int) -> float:
    """Bayesian information criterion under Laplace errors, whose likelihood such a fit (nearly) maximizes.

    2 R log(mean absolute residual) + P log R: smaller is better, among fits of one table.
    """
    rows = len(residual_R)
    return float(2 * rows * np.log(max(np.abs(residual_R).mean(), 1e-300)) + parameters * np.log(rows))


def _hall_sheather(rows: int) -> float:
    """Half-width in probability around the median (Hall & Sheather 1988) for 95 % intervals."""
    return float(
        rows ** (-1 / 3) * stats.norm.ppf(0.975) ** (2 / 3) * (1.5 * stats.norm.pdf(0) ** 2) ** (1 / 3)
    )


def _as_good_as(objective, best):
    return objective <= best * (1 + SAME_OPTIMUM) + 1e-15


def _one_of_the_best(objective_BxW: np.ndarray) -> np.ndarray:
    """Index of a best optimum of each resample, in turn where several are equally good.

    Always taking the first would make an interval look narrow just where the table determines nothing.
    """
    tied_BxW = _as_good_as(objective_BxW, objective_BxW.min(axis=1, initial=np.inf)[:, None])
    turn_B = np.arange(len(tied_BxW)) % np.maximum(tied_BxW.sum(axis=1), 1)
    return (tied_BxW.cumsum(axis=1) > turn_B[:, None]).argmax(axis=1)


def _distinct_optima(theta_SxP: np.ndarray, objective_S: np.ndarray) -> np.ndarray:
    """The best end points that differ in theta: where a resample may have its optimum instead."""
    chosen = []
    for index in np.argsort(objective_S, kind="stable"):
        if objective_S[index] > WORTH_A_START * objective_S.min() + 1e-15:
            break
        if all(np.abs(theta_SxP[index] - theta_SxP[other]).max() > 0.05 for other in chosen):
            chosen.append(index)
        if len(chosen) == WARM_STARTS:
            break
    return theta_SxP[chosen]
