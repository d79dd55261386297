"""The next run that would teach most about a law: an optimal design of one experiment."""

from collections.abc import Callable

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.allocation import best_split
from slm_jax.scaling.fitted_law import FittedLaw, open_law
from slm_jax.scaling.forms.form import jacobian
from slm_jax.scaling.forms.plain import PLAIN, five
from slm_jax.scaling.frontier import allocation_exponents
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN

BUDGETS = (1.0, 10**0.5, 10.0)  # times the largest compute of the table
SIZES = 2.0 ** np.arange(-4, 5)  # times the best size of the budget
MAX_EPOCHS = 4.0  # passes that are worth about as much as new data (Muennighoff et al. 2023)
NEXT_DECADE = 10.0
STEP = 1e-5


def suggest(
    laws: dict,
    *,
    group: str | None = None,
    target: str = "loss",
    budgets: list[float] | None = None,
    max_epochs: float = MAX_EPOCHS,
) -> dict:
    """The (N, D) whose run would narrow the interval of a target most per FLOP.

    A run with the derivatives j of log L adds j j' / s^2 to the information of the fit, so that the variance
    c' V c of a target with the gradient c falls by (c' V j)^2 / (s^2 + j' V j): the c-optimal next point
    (Atkinson, Donev & Tobias 2007). V is the fit's sandwich covariance and s the noise of a run.

    Args:
      laws: from `fit` or laws.json; group: which, when there are several.
      target: "loss" (at the optimum of ten times the largest compute), "a" (N_opt ~ C^a) or
        "reducible_exponent" (L_opt - E ~ C^-x).
      budgets: FLOPs to try; one, about three and ten times the largest of the table by default.
      max_epochs: the most passes over the corpus, where its size is known: sizes for which that is too little
        data are raised to the least for which it is enough.

    Returns:
      target, standard_error (of the target now; of log L for the loss), best and candidates (the best of each
      budget): {flops, params, tokens, epochs (passes over the corpus; None where its size is not known),
      narrows: the share by which the standard error falls}; best is None where no run would help.

    Raises InputError for an unknown target or group, when the plain law was not fitted, and for max_epochs
    that are not positive.
    """
    if target not in TARGETS:
        raise InputError(f"target is {target!r}: give one of {', '.join(TARGETS)}")
    return best_next_run(open_law(laws, group=group), target, budgets, max_epochs=max_epochs)


def best_next_run(
    law: FittedLaw, target: str, budgets: list[float] | None = None, *, max_epochs: float = MAX_EPOCHS
) -> dict:
    """`suggest` for a plain law at hand."""
    check_epochs(max_epochs)
    most, corpus = law.group["flops"]["most"], law.group["unique_tokens"]
    most_tokens = max_epochs * corpus if corpus else np.inf
    V_PxP, noise = np.array(law.record["covariance"]["matrix"]), law.record["noise"]
    theta_P = law.form.theta(law.values_P)
    gradient_P = _gradient(lambda theta: TARGETS[target](law.form.values(theta, np.zeros(2)), most), theta_P)
    variance = gradient_P @ V_PxP @ gradient_P
    rows = []
    for flops in budgets or [most * times for times in BUDGETS]:
        params_M = best_split(law.form, law.values_P, flops)[0] * SIZES
        params_M = np.maximum(params_M, flops / (FLOPS_PER_PARAMETER_AND_TOKEN * most_tokens))
        tokens_M = flops / (FLOPS_PER_PARAMETER_AND_TOKEN * params_M)
        j_MxP = jacobian(law.form, theta_P, np.log([params_M, tokens_M]))
        spread_M = noise**2 + np.einsum("mp,pq,mq->m", j_MxP, V_PxP, j_MxP)
        share_M = (j_MxP @ V_PxP @ gradient_P) ** 2 / np.maximum(spread_M * variance, 1e-300)
        best = int(share_M.argmax())
        rows.append(
            {
                "flops": float(flops),
                "params": float(params_M[best]),
                "tokens": float(tokens_M[best]),
                "epochs": float(tokens_M[best] / corpus) if corpus else None,
                "narrows": float(1 - np.sqrt(max(1 - share_M[best], 0.0))),
            }
        )
    best = max(rows, key=lambda row: row["narrows"] / row["flops"])
    return {
        "target": target,
        "standard_error": float(np.sqrt(variance)),
        "best": best if best["narrows"] > 0 else None,
        "candidates": rows,
    }


def check_epochs(max_epochs: float) -> None:
    if not 0 < max_epochs < np.inf:
        raise InputError(f"max_epochs is {max_epochs}: give a positive number of passes over the corpus")


def _gradient(function: Callable, theta_P: np.ndarray) -> np.ndarray:
    """Central differences."""
    steps = STEP * np.eye(len(theta_P))
    return np.array([(function(theta_P + step) - function(theta_P - step)) / (2 * STEP) for step in steps])


def _loss(values, most):
    return np.log(best_split(PLAIN, values, NEXT_DECADE * most)[2])


def _reducible_exponent(values, most):
    _, _, _, alpha, beta = five(values)
    return alpha * beta / (alpha + beta)


TARGETS = {
    "loss": _loss,
    "a": lambda values, most: allocation_exponents(values)[0],
    "reducible_exponent": _reducible_exponent,
}
