"""The claims about two arms: the verdict on each, the number, and where it lies beside no difference."""

import math
from collections.abc import Set

from slm_jax.study.grid import PlannedRun
from slm_jax.study.matched_runs import match_runs
from slm_jax.study.measures import GROWTH
from slm_jax.study.report.laws import look_of
from slm_jax.study.report.numbers import fixed, interval

UNITS = {"accuracy": "difference in accuracy", "%": "% difference in loss"}
LOWER_IS_BETTER = ("loss", "loss_per_second")
MARGIN = 0.08  # of the width of an axis


def describe_claims(claims: list[dict], planned: list[dict], done: Set[str]) -> list[dict]:
    """What claims.json says, as the page shows it; claims in one unit share the scale of their axes.

    `planned` are the runs of the plan, `done` the names of those that are.
    """
    ends: dict[tuple, list[float]] = {}
    for claim in claims:
        ends.setdefault(_scale(claim), []).extend(_numbers(claim))
    runs = [PlannedRun(**run) for run in planned]
    return [
        _claim(claim, ends[_scale(claim)]) | {"unfinished": _unfinished(claim, runs, done)}
        for claim in claims
    ]


def _claim(claim: dict, ends: list[float]) -> dict:
    better, other = claim["arms"]
    return {
        **{key: claim[key] for key in ("name", "says", "note", "unit", "because", "text", "cells")},
        "better": better,
        "other": other,
        "number": interval(claim["estimate"], beside=_reference(claim)),
        "of": UNITS.get(claim["unit"], claim["unit"]),
        "places": _places([cell["other"] for cell in claim["cells"]]),
        "places_apart": _places(_differences(claim)) if claim["unit"] != "%" else 1,
        "plot": _plot(claim, min(ends), max(ends)) if claim["estimate"] else None,
        **look_of(claim["verdict"]),
    }


def _unfinished(claim: dict, planned: list[PlannedRun], done: Set[str]) -> str:
    """How many of the runs that a claim is about are done, where some are not."""
    if claim["measure"].startswith(GROWTH):
        what, needed = "runs of the two arms", [{run.name} for run in planned if run.arm in claim["arms"]]
    else:
        matches = match_runs(planned, claim["arms"])
        what, needed = "matched runs", [{match.better.name, match.other.name} for match in matches]
    found = sum(names <= done for names in needed)
    return f"{found} of {len(needed)} planned {what}" if found < len(needed) else ""


def _scale(claim: dict) -> tuple:
    return claim["unit"], _reference(claim)


def _reference(claim: dict) -> float:
    """Where there is no difference: at 1 for a ratio."""
    return 1.0 if "ratio" in claim["unit"] else 0.0


def _numbers(claim: dict) -> list[float]:
    """Everything an axis has to reach."""
    estimate = claim["estimate"] or {}
    known = [number for number in estimate.values() if number is not None]
    return [_reference(claim), *known, *_differences(claim)]


def _differences(claim: dict) -> list[float]:
    return [cell["difference"] for cell in claim["cells"]]


def _plot(claim: dict, least: float, most: float) -> dict:
    """Places in percent of the width, on a logarithmic axis for ratios."""
    reference = _reference(claim)
    bend = math.log if reference and least > 0 else float
    low, high = bend(least), bend(most)
    span = (high - low) or 1.0

    def place(number: float | None) -> float | None:
        if number is None:
            return None
        return round(100 * (MARGIN + (1 - 2 * MARGIN) * (bend(number) - low) / span), 2)

    how = "faster" if "ratio" in claim["unit"] else "better"
    favours = [f"{claim['arms'][1]} {how}", f"{claim['arms'][0]} {how}"]
    if claim["measure"] in LOWER_IS_BETTER:
        favours.reverse()
    return {
        "reference": place(reference),
        "reference_label": fixed(reference, 0),
        **{end: place(number) for end, number in claim["estimate"].items()},
        "cells": [place(number) for number in _differences(claim)],
        "favours": favours,
    }


def _places(values: list[float]) -> int:
    """Decimal places of a column of accuracies or losses."""
    return 3 if max(map(abs, values), default=0) < 10 else 2
