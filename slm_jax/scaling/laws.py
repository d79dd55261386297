"""From a table of runs to its laws: everything laws.json holds."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.bootstrap import CONFIDENCE, estimate, plain_tail, resample_counts
from slm_jax.scaling.cautions import law_warnings, table_warnings
from slm_jax.scaling.compare import compare_groups
from slm_jax.scaling.downstream import MIN_RUNS as MIN_TASK_RUNS
from slm_jax.scaling.downstream import fit_task
from slm_jax.scaling.envelope import Curves, fit_envelope
from slm_jax.scaling.frontier import allocation_exponents, on_frontier, optimum
from slm_jax.scaling.isoflop import fit_isoflop
from slm_jax.scaling.loss_law import NAMES, LossLawFit, why_not_identified
from slm_jax.scaling.power_law import fit_power_law
from slm_jax.scaling.solver import HUBER_DELTA
from slm_jax.scaling.table import Runs
from slm_jax.scaling.verdicts import claims

SCHEMA = 1
EXTRAPOLATION = 100.0  # predictions reach this far beyond the largest compute
NEXT_DECADE = 10.0
POINTS = 33


def fit(runs: Runs, *, seed: int = 0, resamples: int = 1000, curves: Curves | None = None) -> dict:
    """Fits every law a table supports, for each group of runs (modality and tokenizer) on its own.

    Args:
      runs: from `read_runs`.
      seed: of the bootstrap; the same seed gives the same laws.
      resamples: of the bootstrap over runs, 1 or more; with fewer than 20 there are no intervals.
      curves: optional training curves, model name -> (flops_S, loss_S, params), losses in nats per token.

    Returns:
      the content of laws.json; docs/scaling.md documents it.

    Raises InputError for a negative seed or fewer than one resample.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}: give 0 or more")
    if resamples < 1:
        raise InputError(f"resamples is {resamples}: give 1 or more")
    groups = {
        name: _fit_group(group, np.random.default_rng([seed, number]), resamples, _own(curves, group))
        for number, (name, group) in enumerate(runs.groups().items())
    }
    return {
        "schema": SCHEMA,
        "source": runs.source,
        "runs": len(runs),
        "confidence": CONFIDENCE,
        "resamples": resamples,
        "seed": seed,
        "groups": groups,
        "comparisons": compare_groups(runs.groups(), resamples, np.random.default_rng(seed)),
    }


def _own(curves: Curves | None, group: Runs) -> Curves:
    return {name: curve for name, curve in (curves or {}).items() if name in group.model}


def _fit_group(runs: Runs, rng: np.random.Generator, resamples: int, curves: Curves) -> dict:
    counts_BxR = resample_counts(len(runs), resamples, rng)
    most = runs.flops_R.max()
    flops_P = np.geomspace(runs.flops_R.min(), most * EXTRAPOLATION, POINTS)
    flops_P = np.sort(np.append(flops_P, [most, most * NEXT_DECADE]))
    front_R = on_frontier(runs.flops_R, runs.loss_R)

    group = {
        "runs": len(runs),
        "sizes": sorted({float(size) for size in runs.params_R}),
        "flops": {"least": float(runs.flops_R.min()), "most": float(most)},
        "frontier_runs": [name for name, front in zip(runs.model, front_R, strict=True) if front],
        "loss_law": None,
        "frontier": None,
        "compute_law": None,
        "isoflop": fit_isoflop(runs.params_R, runs.flops_R, runs.loss_R, counts_BxR),
        "envelope": None,
        "tasks": {},
        "absent": {},
        "warnings": table_warnings(runs),
    }
    absent = group["absent"]
    absent["loss_law"] = why_not_identified(runs.params_R, runs.tokens_R)
    if absent["loss_law"] is None:
        law = LossLawFit(runs.params_R, runs.tokens_R, runs.loss_R, counts_BxR)
        group["loss_law"] = _loss_law(law, len(runs))
        group["frontier"] = _frontier(law, len(runs), flops_P, most)
        group["warnings"] += law_warnings(law, group, runs)
    group["compute_law"] = fit_power_law(runs.flops_R[front_R], runs.loss_R[front_R], flops_P, resamples, rng)
    if group["compute_law"] is None:
        absent["compute_law"] = "the frontier has fewer than two runs with different compute"
    if group["isoflop"] is None:
        absent["isoflop"] = "no compute budget is shared by three model sizes"
    exponent = fit_envelope(curves, resamples, rng)
    if exponent is None:
        absent["envelope"] = (
            "the training curves of the sizes hardly cross" if curves else "no training curves given"
        )
    else:
        group["envelope"] = {"curves": len(curves), "exponent": exponent}
    for name in runs.tasks:
        group["tasks"][name] = fit_task(runs, name, counts_BxR, flops_P, rng)
        if group["tasks"][name] is None:
            absent[name] = f"needs at least {MIN_TASK_RUNS} evaluated runs of different loss and accuracy"
    group["absent"] = {key: reason for key, reason in absent.items() if reason}
    group["next_decade"] = _next_decade(group, most * NEXT_DECADE)
    group["claims"] = claims(group)
    return group


def _loss_law(law: LossLawFit, runs: int) -> dict:
    parameters = {
        name: estimate(law.law_5[i], law.law_Bx5[:, i], plain_tail(runs, len(NAMES)))
        for i, name in enumerate(NAMES)
    }
    return {
        **parameters,
        "objective": law.objective,
        "huber_delta": HUBER_DELTA,
        "starts": law.starts,
        "starts_at_optimum": law.starts_at_optimum,
        "at_bounds": law.at_bounds(),
    }


def _frontier(law: LossLawFit, runs: int, flops_P: np.ndarray, most: float) -> dict:
    def interval(value, samples_B):
        return estimate(value, samples_B, plain_tail(runs, len(NAMES)))

    alpha_B, beta_B = law.law_Bx5[:, 3], law.law_Bx5[:, 4]
    alpha, beta = law.law_5[3:]
    exponents, exponents_B = allocation_exponents(law.law_5), allocation_exponents(law.law_Bx5)
    best = optimum(law.law_5, flops_P)
    best_B = optimum(law.law_Bx5[:, None, :], flops_P)
    return {
        "a": interval(exponents[0], exponents_B[0]),
        "b": interval(exponents[1], exponents_B[1]),
        "reducible_exponent": interval(alpha * beta / (alpha + beta), alpha_B * beta_B / (alpha_B + beta_B)),
        "points": [
            {
                "flops": float(flops),
                "extrapolated": bool(flops > most),
                **{
                    name: interval(best[k][p], best_B[k][:, p])
                    for k, name in enumerate(("params", "tokens", "loss"))
                },
            }
            for p, flops in enumerate(flops_P)
        ],
    }


def _next_decade(group: dict, flops: float) -> dict:
    """What ten times the largest compute would buy, by the laws there are."""

    def at(law):
        point = next(point for point in law["points"] if np.isclose(point["flops"], flops, rtol=1e-9))
        return {key: value for key, value in point.items() if key not in ("flops", "extrapolated")}

    return {
        "flops": float(flops),
        "by_loss_law": at(group["frontier"]) if group["frontier"] else None,
        "loss_by_compute_law": at(group["compute_law"]) if group["compute_law"] else None,
        "accuracy": {
            name: at(task["compute"]) for name, task in group["tasks"].items() if task and task["compute"]
        },
    }
