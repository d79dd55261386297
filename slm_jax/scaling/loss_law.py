"""The parametric law L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, approach 3)."""

import itertools

import numpy as np

from slm_jax.scaling.solver import minimize

# Hoffmann et al. 2022, appendix D.3: 4,500 starts.
START_E = np.arange(-1.0, 1.01, 0.5)
START_A = START_B = np.arange(0.0, 25.01, 5.0)
START_ALPHA = START_BETA = np.arange(0.0, 2.01, 0.5)

EXPONENT_BOUNDS = (0.01, 2.0)  # below: not told apart from a constant; above: steeper than any reported law
LEAST_E = 1e-3  # of the lowest loss: zero for all purposes; E is at most the lowest loss
TERM_BOUNDS = (-12.0, 6.0)  # log of a term at the mean log N (log D), relative to the lowest loss

MIN_RUNS = 6
MIN_SIZES = 3
TOGETHER = 0.99  # correlation of log N and log D
WARM_STARTS = 4  # of each resample: as good as 150 in trials, where one alone misses some optima
NAMES = ("E", "A", "B", "alpha", "beta")


def law_loss(law: dict | np.ndarray, params, tokens):
    """L(N, D) in nats per token; `law` holds E, A, B, alpha, beta by name or along its last axis."""
    E, A, B, alpha, beta = _five(law)
    return E + A / params**alpha + B / tokens**beta


def _five(law):
    if isinstance(law, dict):
        return tuple(law[name] for name in NAMES)
    return tuple(np.moveaxis(np.asarray(law), -1, 0))


def why_not_identified(params_R: np.ndarray, tokens_R: np.ndarray) -> str | None:
    """Why a table cannot determine the five parameters, or None when it can."""
    sizes, amounts = _distinct(params_R), _distinct(tokens_R)
    if len(params_R) < MIN_RUNS:
        return f"five parameters need at least {MIN_RUNS} runs; the table has {len(params_R)}"
    if sizes < MIN_SIZES:
        return f"A, alpha and E need at least {MIN_SIZES} model sizes; the table has {sizes}"
    if amounts < MIN_SIZES:
        return f"B, beta and E need at least {MIN_SIZES} token counts; the table has {amounts}"
    if np.corrcoef(np.log(params_R), np.log(tokens_R))[0, 1] > TOGETHER:
        return "tokens grow in step with parameters, so that their effects cannot be told apart"
    return None


def _distinct(values_R: np.ndarray) -> int:
    """Number of values that differ by more than 5 %."""
    return 1 + int((np.diff(np.sort(np.log(values_R))) > np.log(1.05)).sum())


def start_grid() -> np.ndarray:
    """The 4,500 starts (e, a, b, alpha, beta)."""
    return np.array(list(itertools.product(START_E, START_A, START_B, START_ALPHA, START_BETA)))


class LossLawFit:
    """A fitted law `law_5` (E, A, B, alpha, beta), that of each resample `law_Bx5`, and how the fit went."""

    def __init__(self, params_R, tokens_R, loss_R, counts_BxR):
        log_n_R, log_d_R = np.log(params_R), np.log(tokens_R)
        self._center_n, self._center_d = log_n_R.mean(), log_d_R.mean()
        lowest = np.log(loss_R.min())
        term_low, term_high = lowest + TERM_BOUNDS[0], lowest + TERM_BOUNDS[1]
        self.lower_5 = np.array([lowest + np.log(LEAST_E), term_low, term_low, *[EXPONENT_BOUNDS[0]] * 2])
        self.upper_5 = np.array([lowest, term_high, term_high, *[EXPONENT_BOUNDS[1]] * 2])
        self._rows = (log_n_R - self._center_n, log_d_R - self._center_d, np.log(loss_R))

        starts_Sx5 = start_grid()
        starts_Sx5[:, 1] -= starts_Sx5[:, 3] * self._center_n  # a and b of the centred variables
        starts_Sx5[:, 2] -= starts_Sx5[:, 4] * self._center_d
        theta_Sx5, objective_S = self._minimize(
            starts_Sx5, np.ones((len(starts_Sx5), len(loss_R))), "loss law, starts"
        )
        best = int(objective_S.argmin())
        self.theta_5, self.objective = theta_Sx5[best], float(objective_S[best])
        self.starts = len(objective_S)
        at_optimum = _as_good_as(objective_S, self.objective)
        self.starts_at_optimum = int(at_optimum.sum())
        self.flatness = np.ptp(
            theta_Sx5[at_optimum][:, 3:], axis=0
        )  # of alpha and beta among equally good fits
        self.law_5 = self._law(self.theta_5)

        warm_Wx5 = _distinct_optima(theta_Sx5, objective_S)
        resamples, warm = len(counts_BxR), len(warm_Wx5)
        theta, objective = self._minimize(
            np.tile(warm_Wx5, (resamples, 1)), np.repeat(counts_BxR, warm, axis=0), "loss law, resamples"
        )
        chosen_B = _one_of_the_best(objective.reshape(resamples, warm))
        self.theta_Bx5 = theta.reshape(resamples, warm, 5)[np.arange(resamples), chosen_B]
        self.law_Bx5 = self._law(self.theta_Bx5)

    def _minimize(self, starts_Sx5, weights_SxR, desc):
        return minimize(starts_Sx5, weights_SxR, *self._rows, self.lower_5, self.upper_5, desc=desc)

    def _law(self, theta):
        e, a, b, alpha, beta = np.moveaxis(theta, -1, 0)
        terms = (e, a + alpha * self._center_n, b + beta * self._center_d)
        return np.stack([*np.exp(terms), alpha, beta], axis=-1)

    def at_bounds(self) -> list[str]:
        """Names of the parameters of the best fit that lie on their bound."""
        tight = (self.theta_5 <= self.lower_5) | (self.theta_5 >= self.upper_5)
        return [name for name, hit in zip(NAMES, tight, strict=True) if hit]


def _as_good_as(objective, best):
    return objective <= best * (1 + 1e-4) + 1e-15


def _one_of_the_best(objective_BxW: np.ndarray) -> np.ndarray:
    """Index of a best optimum of each resample, in turn where several are equally good.

    Always taking the first would make an interval look narrow just where the table determines nothing.
    """
    tied_BxW = _as_good_as(objective_BxW, objective_BxW.min(axis=1, initial=np.inf)[:, None])
    turn_B = np.arange(len(tied_BxW)) % np.maximum(tied_BxW.sum(axis=1), 1)
    return (tied_BxW.cumsum(axis=1) > turn_B[:, None]).argmax(axis=1)


def _distinct_optima(theta_Sx5: np.ndarray, objective_S: np.ndarray) -> np.ndarray:
    """The best end points whose (alpha, beta) differ: where a resample may have its optimum instead."""
    chosen = []
    for index in np.argsort(objective_S, kind="stable"):
        exponents = theta_Sx5[index, 3:]
        if all(np.abs(exponents - theta_Sx5[other, 3:]).max() > 0.05 for other in chosen):
            chosen.append(index)
        if len(chosen) == WARM_STARTS:
            break
    return theta_Sx5[chosen]
