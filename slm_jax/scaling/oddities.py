"""What is odd in a table but may be right: warnings that name the runs, never errors."""

import collections

import numpy as np

from slm_jax.scaling.formatting import format_size
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN, Runs

MOST_NAMED = 3
ODD_FLOPS_RATIO = 3.0  # attention and embeddings change 6 N D by less
ODD_LOSS = 14.0  # nats: that of guessing among a million tokens
ODD_TOKENS_PER_PARAMETER = (1e-3, 1e6)


def oddities(runs: Runs) -> list[str]:
    """Sentences on what was left out, losses that were not measured, odd units, and runs counted twice."""
    return [*runs.notes, *_not_measured(runs), *_odd_units(runs), *_repeats(runs)]


def _not_measured(runs: Runs) -> list[str]:
    rows_R = np.isfinite(runs.loss_R) & ~runs.measured_R
    if not rows_R.any():
        return []
    sources = sorted({runs.loss_source[row] for row in np.flatnonzero(rows_R)})
    return [
        f"The losses of {int(rows_R.sum())} runs were not measured ({', '.join(sources)}): they stand in for "
        "the loss where accuracy is compared with it, and no law is fitted to them."
    ]


def _odd_units(runs: Runs) -> list[str]:
    found = []
    ratio_R = runs.flops_R / (FLOPS_PER_PARAMETER_AND_TOKEN * runs.params_R * runs.tokens_R)
    odd_R = np.maximum(ratio_R, 1 / ratio_R) > ODD_FLOPS_RATIO
    if odd_R.any():
        found.append(
            f"flops is {ratio_R[odd_R][0]:.2g} times 6 N D for {_names(runs, odd_R)}: "
            "check its unit, and that of params and tokens."
        )
    each_R = runs.tokens_R / runs.params_R
    low, high = ODD_TOKENS_PER_PARAMETER
    odd_R = (each_R < low) | (each_R > high)
    if odd_R.any():
        row = int(odd_R.argmax())
        found.append(
            f"{format_size(runs.tokens_R[row])} tokens for {format_size(runs.params_R[row])} parameters, "
            f"{each_R[row]:.2g} a parameter, in {_names(runs, odd_R)}: check that both are "
            "counts, not millions."
        )
    odd_R = runs.loss_R > ODD_LOSS
    if odd_R.any():
        found.append(
            f"A loss of {runs.loss_R[odd_R][0]:.3g} in {_names(runs, odd_R)} is more than guessing among a "
            "million tokens costs: if it is a perplexity, write its natural logarithm."
        )
    return found


def _repeats(runs: Runs) -> list[str]:
    """Runs of equal size and tokens: under one name two results, or under two names one result."""
    found = []
    recipes = list(zip(runs.params_R, runs.tokens_R, strict=True))
    seed_R = runs.seed or ("",) * len(runs)
    by_name = _shared(list(zip(runs.model, recipes, seed_R, strict=True)))
    if by_name.any():
        found.append(
            f"{_names(runs, by_name)} stands in the table more than once with the same params and tokens: "
            "right for repetitions whose seeds a column `seed` tells, wrong for a run listed twice."
        )
    by_loss = _shared(list(zip(runs.loss_R, recipes, strict=True))) & np.isfinite(runs.loss_R) & ~by_name
    if by_loss.any():
        found.append(
            f"Params, tokens and loss are the same for {_names(runs, by_loss)}: is one run there twice?"
        )
    return found


def _shared(keys: list) -> np.ndarray:
    """Whether each key stands in the list more than once."""
    times = collections.Counter(keys)
    return np.array([times[key] > 1 for key in keys])


def _names(runs: Runs, which_R: np.ndarray) -> str:
    names = list(dict.fromkeys(name for name, which in zip(runs.model, which_R, strict=True) if which))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
