"""Plain answers to the questions a study asks, each with the number behind it."""

from slm_jax.scaling.bootstrap import Estimate
from slm_jax.scaling.formatting import format_estimate

SUPPORTED, NOT_SUPPORTED, CANNOT_TELL = "supported", "not supported", "cannot tell"

# The fit keeps alpha and beta above 0, and so the exponent a: an interval that reaches down to a few
# hundredths has reached that bound, which is no evidence for a > 0.
LEAST_ALLOCATION_EXPONENT = 0.05


def judge(found: Estimate | None, *, above: float | None = None, below: float | None = None) -> str:
    """Whether the whole interval lies above (or below) a threshold, wholly on the other side, or neither."""
    if found is None or found["low"] is None:
        return CANNOT_TELL
    low, high, threshold = found["low"], found["high"], above
    if below is not None:
        low, high, threshold = -found["high"], -found["low"], -below
    if low > threshold:
        return SUPPORTED
    return NOT_SUPPORTED if high < threshold else CANNOT_TELL


def claims(group: dict) -> list[dict]:
    """The claims about one group of runs, each with its verdict and the number behind it."""
    compute, frontier = group["compute_law"], group["frontier"]
    found = [
        _claim(
            "Loss falls as a power law of compute along the frontier",
            None,
            "exponent of C",
            compute and compute["exponent"],
            {"below": 0.0},
            group["absent"].get("compute_law"),
        ),
        _claim(
            "Larger budgets prefer larger models",
            None,
            "a",
            frontier and frontier["a"],
            {"above": LEAST_ALLOCATION_EXPONENT},
            group["absent"].get("loss_law"),
        ),
    ]
    for name, task in group["tasks"].items():
        absent = group["absent"].get(name)
        correlation = task and task["correlation"]
        no_losses = absent or "fewer than four evaluated runs of different loss"
        found.append(_claim("Loss predicts accuracy", name, "r", correlation, {"below": 0.0}, no_losses))
        growth = task and task["compute"]
        gamma = growth and growth.get("all_runs", growth["exponent"])
        too_few = absent or "fewer than two frontier runs with different compute were evaluated"
        grows = "Accuracy grows with compute" + (" over all runs" if growth and "all_runs" in growth else "")
        found.append(_claim(grows, name, "gamma", gamma, {"above": 0.0}, too_few))
    return found


def _claim(text, task, symbol, found, threshold, absent) -> dict:
    verdict = judge(found, **threshold)
    if found is None:
        because = absent or "not estimated"
    elif found["low"] is None:
        because = f"{symbol} = {found['value']:.3g}, from too few runs for an interval"
    else:
        (edge,) = threshold.values()
        because = f"{symbol} = {format_estimate(found, beside=edge)}"
        if verdict == CANNOT_TELL:
            because += f", an interval that includes {edge:g}"
    estimate = found and {key: found[key] for key in ("value", "low", "high")}
    return {
        "claim": text,
        "task": task,
        "symbol": symbol,
        "estimate": estimate,
        "verdict": verdict,
        "because": because,
    }
