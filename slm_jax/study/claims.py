"""The claims of a study: whether one arm is better than another at equal compute, and by how much."""

from collections.abc import Sequence

import numpy as np

from slm_jax.files import write_json
from slm_jax.scaling import CANNOT_TELL, NOT_SUPPORTED, SUPPORTED, format_estimate, judge, mean_difference
from slm_jax.study.claim_words import name_of, sentence
from slm_jax.study.config import ClaimConfig, StudyConfig
from slm_jax.study.folder import CLAIMS, LOSS, StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.matched_runs import Match, accuracies, losses, match_runs
from slm_jax.study.measures import GROWTH, LOSS_PER_SECOND

MIN_CELLS = 2


def write_claims(folder: StudyFolder, config: StudyConfig, runs: list[PlannedRun], laws: dict) -> list[dict]:
    """claims.json: each claim of the config with its verdict; docs/comparing.md has what it holds.

    Args:
      runs: those that are trained and scored, in any order.
      laws: what `scaling.fit` made of them.
    """
    claims = []
    for name, claim in config.claims.items():
        record = {"name": name, "says": claim.says, "note": claim.note}
        record |= {"measure": claim.measure, "arms": list(claim.arms)}
        if claim.measure.startswith(GROWTH):
            record |= _growth(claim, laws)
        else:
            record |= _at_equal_compute(folder, config, claim, match_runs(runs, claim.arms))
            if record["verdict"] == CANNOT_TELL and _is_chance(claim, laws):
                record["because"] += ", and no run of either arm is surely above chance"
        claims.append(record | {"text": sentence(record)})
    write_json(folder.path / CLAIMS, claims)
    return claims


def _at_equal_compute(
    folder: StudyFolder, config: StudyConfig, claim: ClaimConfig, matches: Sequence[Match]
) -> dict:
    """The mean difference of runs of the same size, budget and seed."""
    is_loss = claim.measure in (LOSS, LOSS_PER_SECOND)
    unit = "%" if is_loss else "accuracy"
    if len(matches) < MIN_CELLS:
        count = "one run" if matches else "no runs"
        return _unknown(unit, f"{count} of the same size, budget and seed finished in both arms")
    # Runs of one size and seed start from the same weights, read the same data, and may share updates.
    trainings = [f"{match.better.size} {match.better.seed}" for match in matches]
    drawn = {"resamples": config.resamples, "seed": config.seed}
    if is_loss:
        loss_2xK = losses(folder, matches, "nats_per_token" if claim.measure == LOSS else "nats_per_second")
        for arm, loss_K in zip(claim.arms, loss_2xK, strict=True):
            if np.isnan(loss_K).any():
                return _unknown(unit, f"the held-out data of {name_of(arm)} have no duration in seconds")
        log_K = np.log(loss_2xK[0]) - np.log(loss_2xK[1])
        logs = mean_difference(log_K[:, None], trainings, ["all"], **drawn)
        estimate = {end: log if log is None else _percent(log) for end, log in logs.items()}
        return _judged(unit, estimate, {"below": 0.0}, _cells(matches, loss_2xK, _percent(log_K)))
    score_2xKxP, phenomenon_P = accuracies(folder, matches, claim.measure)
    if not len(phenomenon_P):
        return _unknown(unit, "the two arms were asked different questions")
    apart_KxP = score_2xKxP[0] - score_2xKxP[1]
    estimate = mean_difference(apart_KxP, trainings, phenomenon_P, **drawn)
    strata = [phenomenon_P == phenomenon for phenomenon in np.unique(phenomenon_P)]
    macro_2xK = np.mean([score_2xKxP[..., stratum].mean(axis=-1) for stratum in strata], axis=0)
    cells = _cells(matches, macro_2xK, macro_2xK[0] - macro_2xK[1])
    return _judged(unit, estimate, {"above": 0.0}, cells)


def _is_chance(claim: ClaimConfig, laws: dict) -> bool:
    """Whether neither arm has a run that is surely above chance on the task."""
    tasks = [laws["groups"].get(arm, {}).get("tasks", {}).get(claim.measure) for arm in claim.arms]
    return all(task and task["above_chance"] == 0 for task in tasks)


def _growth(claim: ClaimConfig, laws: dict) -> dict:
    """The exponent of accuracy in compute of the better arm as a multiple of the other's."""
    unit, task = "ratio of exponents", claim.measure.removeprefix(GROWTH)
    gammas = {}
    for arm in claim.arms:
        found = laws["groups"].get(arm, {}).get("tasks", {}).get(task)
        if not (found and found["compute"]):
            return _unknown(unit, f"too few runs of {name_of(arm)} finished for a law of its growth")
        gammas[arm] = found["compute"]["exponent"]
    told = " and ".join(f"{format_estimate(gamma)} for {name_of(arm)}" for arm, gamma in gammas.items())
    row = next(
        (
            row
            for row in laws["comparisons"]
            if row["task"] == task and {row["faster"], row["slower"]} == set(claim.arms)
        ),
        None,
    )
    ratio = row and row["gamma_ratio"]
    if ratio and row["faster"] != claim.arms[0]:
        ratio = _inverse(ratio)
    if ratio and ratio["low"] is not None:
        found = _judged(unit, ratio, {"above": 1.0}, [])
        return found | {"because": f"{found['because']}; the exponents are {told}"}
    better, other = (gammas[arm] for arm in claim.arms)
    if None in (better["low"], other["low"]):
        return _unknown(unit, f"too few runs for intervals of the exponents, {told}")
    reason = f"one of the exponents may be 0, so that their ratio may be anything: {told}"
    if better["low"] > other["high"]:
        return _unknown(unit, f"{reason}, intervals that do not overlap") | {"verdict": SUPPORTED}
    if better["high"] < other["low"]:
        return _unknown(unit, f"{reason}, intervals that do not overlap") | {"verdict": NOT_SUPPORTED}
    return _unknown(unit, reason)


def _inverse(ratio: dict) -> dict:
    """One over an estimate and its interval; no interval where the lower end is not positive."""
    if ratio["low"] is None or ratio["low"] <= 0:
        return {"value": 1 / ratio["value"], "low": None, "high": None}
    return {"value": 1 / ratio["value"], "low": 1 / ratio["high"], "high": 1 / ratio["low"]}


def _judged(unit: str, estimate: dict, threshold: dict[str, float], cells: list[dict]) -> dict:
    verdict, (edge,) = judge(estimate, **threshold), threshold.values()
    if estimate["low"] is None:
        is_one = len({(cell["size"], cell["seed"]) for cell in cells}) == 1
        because = f"{'all runs are of one size and seed' if is_one else 'too few resamples'}: no interval"
    elif verdict == CANNOT_TELL:
        because = f"the interval includes {edge:g}"
    else:
        because = f"the whole interval lies {'above' if estimate['low'] > edge else 'below'} {edge:g}"
    return {"estimate": estimate, "unit": unit, "verdict": verdict, "because": because, "cells": cells}


def _unknown(unit: str, because: str) -> dict:
    return {"estimate": None, "unit": unit, "verdict": CANNOT_TELL, "because": because, "cells": []}


def _cells(matches: Sequence[Match], value_2xK: np.ndarray, difference_K: np.ndarray) -> list[dict]:
    return [
        match.cell | {"better": float(better), "other": float(other), "difference": float(difference)}
        for match, better, other, difference in zip(matches, *value_2xK, difference_K, strict=True)
    ]


def _percent(log_ratio):
    """A difference of logarithms as a change in percent."""
    return 100 * np.expm1(log_ratio)
