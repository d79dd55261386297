"""What a budget is best spent on under a fitted law, and what it costs to be off."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.fitted_law import FittedLaw, open_law
from slm_jax.scaling.forms import PLAIN, Form
from slm_jax.scaling.forms.form import evaluate
from slm_jax.scaling.frontier import optimum
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN

OFF = (0.5, 2.0)  # sizes beside the optimum whose cost is told
GRID = 65  # sizes tried before the search narrows down
GOLDEN = (np.sqrt(5) - 1) / 2
SEARCH_STEPS = 40
BISECTIONS = 25
MOST_TOKENS_PER_PARAMETER = 1e100  # as good as infinite, which JSON does not have
LEAST_SHARE = 1e-4  # a run off the optimum is never compared with less than this share of its compute


def best_split(form: Form, values, flops, unique_tokens=None):
    """The N and D that minimize a form's loss subject to 6 N D = C, and that loss.

    The closed form for the plain law; for others a grid over log N, then golden-section search (Kiefer 1953).

    Args:
      values: natural parameters along the last axis; flops: C, broadcasts against the other axes.
      unique_tokens: of the corpus, for forms that have it.

    Returns:
      parameters, tokens, loss in nats per token.
    """
    values, flops = np.asarray(values, float), np.asarray(flops, float)
    if form is PLAIN:
        return optimum(values, flops)
    theta = form.theta(values)
    log_product = np.broadcast_to(
        np.log(flops / FLOPS_PER_PARAMETER_AND_TOKEN), np.broadcast_shapes(flops.shape, theta.shape[:-1])
    )
    given = () if unique_tokens is None else (np.log(unique_tokens),)

    def log_loss(log_n, theta, log_product):
        return evaluate(form, theta, (log_n, log_product - log_n, *given))

    grid = np.linspace(0.02, 0.98, GRID) * log_product[..., None]
    best = log_loss(grid, theta[..., None, :], log_product[..., None]).argmin(axis=-1)
    step = 0.96 / (GRID - 1) * log_product
    middle = np.take_along_axis(grid, best[..., None], axis=-1)[..., 0]
    low, high = middle - step, middle + step
    for _ in range(SEARCH_STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        lower = log_loss(left, theta, log_product) < log_loss(right, theta, log_product)
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    log_n = (low + high) / 2
    return np.exp(log_n), np.exp(log_product - log_n), np.exp(log_loss(log_n, theta, log_product))


def cost_of_being_off(form: Form, values, flops, factor: float, unique_tokens=None):
    """Loss at `factor` times the best size with the same compute, and the compute wasted by it.

    The waste is C / C' - 1, C' the compute that reaches the same loss at the optimum.
    """
    params, tokens, _ = best_split(form, values, flops, unique_tokens)
    given = () if unique_tokens is None else (unique_tokens,)
    loss = form.loss(values, params * factor, tokens / factor, *given)
    low, high = np.full(loss.shape, np.log(LEAST_SHARE)), np.zeros(loss.shape)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        enough = best_split(form, values, flops * np.exp(middle), unique_tokens)[2] <= loss
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return loss, np.exp(-(low + high) / 2) - 1


def allocate(
    laws: dict, flops: float, *, group: str | None = None, unique_tokens: float | None = None
) -> dict:
    """What `flops` are best spent on under a fitted law, with intervals.

    Args:
      laws: from `fit` or laws.json; group: which, when there are several.
      unique_tokens: size of a corpus that may be seen again; needs the data-constrained law.

    Returns:
      flops, form; params, tokens, tokens_per_parameter, loss and, with unique_tokens, epochs
      (estimates); off: for half and double the size {factor, loss, wasted_compute: estimates}; warnings.

    Raises InputError for a budget that is not positive, an unknown group, or a law that was not fitted.
    """
    for what, number in (("flops", flops), ("unique_tokens", unique_tokens)):
        if number is not None and not 0 < number < np.inf:
            raise InputError(f"{what} is {number}: give a positive number")
    law = open_law(laws, group=group, form="plain" if unique_tokens is None else "data_constrained")
    return best_for(law, flops, unique_tokens)


def best_for(law: FittedLaw, flops: float, unique_tokens: float | None = None) -> dict:
    """`allocate` for a law at hand."""
    # One more law: the fit itself before its resamples.
    values = np.concatenate([law.values_P[None], law.values_BxP])

    def told(all_B):
        return law.estimate(all_B[0], all_B[1:])

    params, tokens, loss = best_split(law.form, values, flops, unique_tokens)
    with np.errstate(over="ignore", divide="ignore"):  # a law that its table hardly determines
        ratio = np.minimum(tokens / params, MOST_TOKENS_PER_PARAMETER)
    found = {
        "flops": float(flops),
        "form": law.form.name,
        "params": told(params),
        "tokens": told(tokens),
        "tokens_per_parameter": told(ratio),
        "loss": told(loss),
        "off": [],
        "warnings": law.warnings(flops),
    }
    if unique_tokens is not None:
        found |= {"unique_tokens": float(unique_tokens), "epochs": told(tokens / unique_tokens)}
    for factor in OFF:
        off, wasted = cost_of_being_off(law.form, values, flops, factor, unique_tokens)
        found["off"].append({"factor": factor, "loss": told(off), "wasted_compute": told(wasted)})
    return found
