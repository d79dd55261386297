"""From a table of runs to its laws: everything laws.json holds."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.bootstrap import CONFIDENCE
from slm_jax.scaling.compare import compare_exponents, compare_groups
from slm_jax.scaling.envelope import Curves
from slm_jax.scaling.group_fit import GroupFit
from slm_jax.scaling.next_run import MAX_EPOCHS, check_epochs
from slm_jax.scaling.shared_floor import compare_floors
from slm_jax.scaling.table import Runs

SCHEMA = 2


def fit(
    runs: Runs,
    *,
    seed: int = 0,
    resamples: int = 1000,
    curves: Curves | None = None,
    chance: dict[str, float] | None = None,
    max_epochs: float = MAX_EPOCHS,
) -> dict:
    """Fits every law a table supports, for each group of runs (arm, or modality and tokenizer) on its own.

    Runs that repeat each other with another seed are averaged first (scaling/repeats.py).

    Args:
      runs: from `read_runs`.
      seed: of the bootstrap; the same seed gives the same laws.
      resamples: of the bootstrap, 1 or more; with fewer than 20 there are no intervals.
      curves: optional training curves, model name -> (flops_S, loss_S, params), losses in nats per token.
      chance: the accuracy of guessing, task name -> 0 or more and less than 1; 0.5 where it is not given.
      max_epochs: the most passes over the corpus that a next run may be suggested to make.

    Returns:
      the content of laws.json; docs/scaling.md documents it.

    Raises InputError for a negative seed, fewer than one resample, a chance of no task or out of range, and
    max_epochs that are not positive.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}: give 0 or more")
    if resamples < 1:
        raise InputError(f"resamples is {resamples}: give 1 or more")
    check_epochs(max_epochs)
    chance = _checked(chance or {}, runs)
    tables = runs.groups()
    groups, fits, growths, samples, measured = {}, {}, {}, {}, {}
    for number, (name, group) in enumerate(tables.items()):
        rng = np.random.default_rng([seed, number])
        fitter = GroupFit(name, group, rng, resamples, _own(curves, group), chance, max_epochs)
        groups[name], samples[name], growths[name] = fitter.group, fitter.samples, fitter.growths
        measured[name] = fitter.measured
        if "plain" in fitter.fits:
            fits[name] = fitter.fits["plain"]
    rng = np.random.default_rng(seed)
    return {
        "schema": SCHEMA,
        "source": runs.source,
        "runs": len(runs),
        "confidence": CONFIDENCE,
        "resamples": resamples,
        "seed": seed,
        "max_epochs": max_epochs,
        "groups": groups,
        "comparisons": compare_groups(growths),
        "loss_comparisons": compare_exponents(fits),
        "shared_floor": compare_floors(measured, fits, resamples, rng),
        "samples": samples,
    }


def _checked(chance: dict[str, float], runs: Runs) -> dict[str, float]:
    for task, share in chance.items():
        if task not in runs.tasks:
            raise InputError(f"chance of {task!r}: {runs.source} has no such task")
        if not 0 <= share < 1:
            raise InputError(f"chance of {task!r} is {share}: give 0 or more and less than 1")
    return chance


def _own(curves: Curves | None, group: Runs) -> Curves:
    return {name: curve for name, curve in (curves or {}).items() if name in group.model}
