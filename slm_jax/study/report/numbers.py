"""Numbers as people write them: 93 K, 1.2×10¹², 0.63 [0.58, 0.68], 1 h 4 min."""

import functools
import math
import re
from collections.abc import Callable

from slm_jax.scaling import format_task, places_for_interval

__all__ = [  # filters of the templates
    "accuracy",
    "count",
    "count_interval",
    "duration",
    "fixed",
    "hours",
    "interval",
    "percent",
    "percent_interval",
    "power",
    "significant",
    "task",
    "typeset",
    "words",
]

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
NONE = "–"
MOST_COUNT = 1e15
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ"}


def count(number: float | None) -> str:
    """A count in two to three digits: 31.5 K, 2.4 M; exact below a thousand.

    Where no count can be, far out in an interval, it is <1 or in scientific notation.
    """
    if number is None:
        return NONE
    if 0 < number < 1:
        return "<1"
    if number >= MOST_COUNT:
        return power(number)
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= 0.9995 * limit:
            return f"{_plain(number / limit, 3)}{THIN}{unit}"
    return _plain(number, 3)


def power(number: float | None) -> str:
    """A number in scientific notation, 1.2×10¹²; 10¹² where the digits before are 1."""
    if number is None:
        return NONE
    digits, exponent = f"{number:.1e}".split("e")
    tens = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    if digits == "1.0":
        return tens
    return f"{digits.removesuffix('.0').replace('-', MINUS)}×{tens}"


def significant(number: float | None, digits: int = 3) -> str:
    """A number in significant digits, in scientific notation where it is very large or small."""
    if number is None:
        return NONE
    if number and not 1e-4 <= abs(number) < 1e5:
        return power(number)
    return _plain(number, digits)


def fixed(number: float | None, places: int = 2) -> str:
    """A number with fixed decimal places, so that a column of them lines up."""
    return NONE if number is None else f"{number:z.{places}f}".replace("-", MINUS)


def interval(
    estimate: dict | None,
    form: Callable[[float | None], str] | None = None,
    *,
    beside: float | None = None,
) -> str:
    """`0.63 [0.58, 0.68]` of {"value", "low", "high"}, to two digits of its width or in `form`.

    Neither end is rounded to the number `beside`, by which it is judged.
    """
    if estimate is None:
        return NONE
    if estimate["low"] is None or estimate["high"] is None:
        return f"{(form or significant)(estimate['value'])} [no interval]"
    form = form or _form_for_width(estimate["low"], estimate["high"], beside)
    return f"{form(estimate['value'])} [{form(estimate['low'])}, {form(estimate['high'])}]"


def accuracy(estimate: dict | None) -> str:
    """An accuracy with its interval, in two places."""
    return interval(estimate, fixed)


def count_interval(estimate: dict | None) -> str:
    """A count with its interval."""
    return interval(estimate, count)


def percent_interval(estimate: dict | None) -> str:
    """A fraction with its interval, in percent."""
    return interval(estimate, percent)


def duration(seconds: float | None) -> str:
    """Seconds as `1 h 4 min`, `3 min 20 s` or `4.2 s`."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}{THIN}h {minutes}{THIN}min"


def hours(number: float) -> str:
    """Hours of speech; minutes below one hour."""
    if number < 1:
        return f"{_plain(60 * number, 2)}{THIN}min"
    return f"{number:,.0f}{THIN}h" if number >= 100 else f"{_plain(number, 3)}{THIN}h"


def percent(fraction: float | None) -> str:
    """A fraction as a whole percentage."""
    return NONE if fraction is None else f"{fraction:.0%}".replace("%", f"{THIN}%")


def typeset(text: str) -> str:
    """A sentence in ASCII with Greek letters, minus and percent signs, powers of ten and apostrophes."""
    text = re.sub(r"\b(alpha|beta|gamma)\b", lambda match: GREEK[match[0]], text)
    text = re.sub(r"\b\d[\d.]*e[+-]\d+\b", lambda match: power(float(match[0])), text)
    text = re.sub(r"(?<=\w)'(?=\w)|(?<=s)'(?= )", "\N{RIGHT SINGLE QUOTATION MARK}", text)
    text = re.sub(r"(?<=\d) %", f"{THIN}%", text)
    return re.sub(r"(?<![\w-])-(?=[\d ])", MINUS, text)


def task(name: str) -> str:
    """A task as its authors write it."""
    return format_task(name)


def words(name: str) -> str:
    """A field or task name as words: minimal_pairs -> minimal pairs."""
    return name.replace("_", " ")


def _form_for_width(low: float, high: float, beside: float | None) -> Callable[[float | None], str]:
    places = places_for_interval(low, high, beside)
    return significant if places is None else functools.partial(fixed, places=places)


def _plain(number: float, digits: int) -> str:
    if number == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)
