"""Numbers and estimates as text, for the terminal and the figures alike."""

from collections.abc import Callable

from slm_jax.scaling.bootstrap import Estimate


def format_estimate(
    found: Estimate | None, digits: int = 3, write: Callable[[float], str] | None = None
) -> str:
    """`0.512 [0.431, 0.602]`, in significant digits or as `write` writes a number.

    The brackets say so where there is no interval.
    """
    if found is None:
        return "none"
    write = write or f"{{:.{digits}g}}".format
    if found["low"] is None:
        return f"{write(found['value'])} [no interval]"
    return f"{write(found['value'])} [{write(found['low'])}, {write(found['high'])}]"


def format_size(number: float) -> str:
    """A count of parameters or tokens in three digits: 31.5k, 20.7M, 1.2B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"
