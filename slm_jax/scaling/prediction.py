"""The chain from size and tokens to loss and from loss to accuracy."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.bootstrap import Estimate, estimate
from slm_jax.scaling.fitted_law import FittedLaw, open_law
from slm_jax.scaling.forms.form import evaluate
from slm_jax.scaling.forms.sigmoid import Sigmoid
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN


def predict(
    laws: dict, params: float, tokens: float, *, group: str | None = None, unique_tokens: float | None = None
) -> dict:
    """Loss and accuracies that a model of `params` parameters reaches with `tokens` tokens, with intervals.

    Args:
      laws: from `fit` or laws.json; group: which, when there are several.
      unique_tokens: how many of the tokens differ; needs the data-constrained law.

    Returns:
      form, flops, loss (estimate), accuracy: {TASK: {line, sigmoid: estimate or None}}, extrapolated (more
      compute than the table has), warnings. The intervals are those of the mean, without the noise of one
      run, and combine independent resamples of the law and of the accuracy against loss.

    Raises InputError for numbers that are not positive, an unknown group, or a law that was not fitted.
    """
    for what, number in (("params", params), ("tokens", tokens), ("unique_tokens", unique_tokens)):
        if number is not None and not 0 < number < np.inf:
            raise InputError(f"{what} is {number}: give a positive number")
    law = open_law(laws, group=group, form="plain" if unique_tokens is None else "data_constrained")
    given = () if unique_tokens is None else (unique_tokens,)
    loss_1B = law.form.loss(np.concatenate([law.values_P[None], law.values_BxP]), params, tokens, *given)
    flops = FLOPS_PER_PARAMETER_AND_TOKEN * params * tokens
    return {
        "form": law.form.name,
        "flops": float(flops),
        "loss": law.estimate(loss_1B[0], loss_1B[1:]),
        "accuracy": accuracies(law, loss_1B, laws["samples"][law.group_name]["tasks"]),
        "extrapolated": bool(flops > law.group["flops"]["most"]),
        "warnings": law.warnings(flops),
    }


def accuracies(law: FittedLaw, loss_1B: np.ndarray, samples: dict) -> dict[str, dict[str, Estimate | None]]:
    """Accuracy of each task at a loss: the law's own first, then its resamples."""
    found = {}
    for name, task in law.group["tasks"].items():
        if task is None or task["line"] is None:
            continue
        line, curve = task["line"], task["sigmoid"]
        found[name] = {
            "line": _told(_line(line, samples[name]["line"], loss_1B), task["tail"]),
            "sigmoid": curve and _told(_sigmoid(curve, samples[name]["sigmoid"], loss_1B), curve["tail"]),
        }
    return found


def _line(line: dict, samples, loss_1B) -> np.ndarray:
    intercept, slope = (
        np.append(line[key]["value"], column_B)
        for key, column_B in zip(("intercept", "slope"), np.array(samples, float).T, strict=True)
    )
    return np.clip(intercept + slope * loss_1B, 0.0, 1.0)


def _sigmoid(curve: dict, samples, loss_1B) -> np.ndarray:
    form = Sigmoid(curve["chance"])
    values = np.concatenate([[[curve[symbol]["value"] for symbol in form.symbols]], np.array(samples, float)])
    return evaluate(form, form.theta(values), (np.log(loss_1B),))


def _told(accuracy_1B: np.ndarray, tail: float | None) -> Estimate:
    return estimate(accuracy_1B[0], accuracy_1B[1:], tail)
