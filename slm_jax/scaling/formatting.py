"""Numbers and estimates as text, for the terminal and the figures alike."""

import math
from collections.abc import Callable

from slm_jax.scaling.bootstrap import Estimate

MOST_MORE_PLACES = 3
TASK_NAMES = {
    "blimp": "(s)BLIMP",
    "sblimp": "sBLIMP",
    "tstorycloze": "tStoryCloze",
    "sstorycloze": "sStoryCloze",
}


def format_estimate(
    found: Estimate | None, write: Callable[[float], str] | None = None, *, beside: float | None = None
) -> str:
    """`0.51 [0.43, 0.60]`: two digits of the interval's width, or as `write` writes a number.

    Digits enough to see on which side of the number `beside` either end lies (`places_for_interval`).

    The brackets say so where there is no interval; then the value has three significant digits.
    """
    if found is None:
        return "none"
    if found["low"] is None:
        return f"{(write or '{:.3g}'.format)(found['value'])} [no interval]"
    places = places_for_interval(found["low"], found["high"], beside)
    write = write or ("{:.3g}" if places is None else f"{{:z.{places}f}}").format
    return f"{write(found['value'])} [{write(found['low'])}, {write(found['high'])}]"


def places_for_interval(low: float, high: float, beside: float | None = None) -> int | None:
    """Decimal places that show two digits of an interval's width: more would be noise.

    A few more where an end would be rounded to the number `beside`, from which it is to be told apart: 0.97
    is not written 1.0 when the question is whether the interval includes 1.

    None where significant digits say more: the ends are equal, far from 1, or decades apart.
    """
    decades_apart = low * high > 0 and not 0.01 < low / high < 100
    largest = max(abs(low), abs(high))
    if high - low <= 1e-9 * largest or decades_apart or largest >= 1e5:
        return None
    places = max(0, 1 - math.floor(math.log10(high - low)))
    for more in range(places, places + MOST_MORE_PLACES):
        if beside is None or all(end == beside or round(end, more) != beside for end in (low, high)):
            return more
    return places + MOST_MORE_PLACES


def format_task(task: str) -> str:
    """A task as its authors write it, else its column's name in words: sblimp_pair -> sBLIMP pair."""
    return " ".join(TASK_NAMES.get(word.lower(), word) for word in task.split("_"))


def format_size(number: float) -> str:
    """A count of parameters or tokens in three digits: 31.5K, 20.7M, 1.2B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= 0.9995 * limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"
