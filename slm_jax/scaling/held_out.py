"""How far the law is to be trusted beyond its table: fit the smaller budgets, predict the largest."""

import numpy as np

from slm_jax.scaling.forms import PLAIN
from slm_jax.scaling.isoflop import compute_budgets
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.table import Runs

MIN_HELD_OUT = 3
FEWER_STARTS = 9  # every ninth start of the grid


def held_out_error(runs: Runs, resamples: int, rng: np.random.Generator) -> dict | None:
    """The plain law without the largest budget (as many budgets as hold three runs), against those runs.

    Returns:
      fitted_to: the most compute of the runs fitted; runs: how many were held out;
      error: mean relative error of the predicted losses (estimate; its interval is the law's, without the
        noise of the held-out runs themselves);
      worst: the largest relative error of a run; points: model, loss and predicted loss (estimate) of each.
      None when the smaller budgets alone do not determine the law.
    """
    budgets = compute_budgets(runs.flops_R)
    count = next((k for k in range(1, len(budgets)) if sum(map(len, budgets[-k:])) >= MIN_HELD_OUT), None)
    if count is None:
        return None
    small, large = (np.sort(np.concatenate(part)) for part in (budgets[:-count], budgets[-count:]))
    if PLAIN.why_not_identified(runs.params_R[small], runs.tokens_R[small]):
        return None
    law = LawFit(
        PLAIN,
        (runs.params_R[small], runs.tokens_R[small]),
        np.log(runs.loss_R[small]),
        resamples=resamples,
        rng=rng,
        every=FEWER_STARTS,
    )
    predicted_R = PLAIN.loss(law.values_P, runs.params_R[large], runs.tokens_R[large])
    predicted_BxR = PLAIN.loss(law.values_BxP[:, None], runs.params_R[large], runs.tokens_R[large])
    loss_R = runs.loss_R[large]
    return {
        "fitted_to": float(runs.flops_R[small].max()),
        "runs": len(large),
        "error": law.estimate((predicted_R / loss_R - 1).mean(), (predicted_BxR / loss_R - 1).mean(axis=1)),
        "worst": float(np.abs(predicted_R / loss_R - 1).max()),
        "points": [
            {
                "model": runs.model[row],
                "loss": float(runs.loss_R[row]),
                "predicted": law.estimate(predicted_R[i], predicted_BxR[:, i]),
            }
            for i, row in enumerate(large)
        ],
    }
