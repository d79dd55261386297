"""Counts in millions and compute in exaFLOPs: units in which no table of language models can be right."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.columns import Cells

LEAST_COUNT = 1000  # parameters, tokens: fewer are thousands, millions or billions of them
MOST_FLOPS_RATIO = 1000.0  # times 6 N D, or part of it: another unit


def check_units(cells: Cells, counts: dict[str, np.ndarray], flops_R, computed_R) -> None:
    """Raises InputError for counts below 1,000, and for FLOPs a thousand times off 6 N D (`computed_R`)."""
    for name, count_R in counts.items():
        for row in np.flatnonzero(count_R < LEAST_COUNT)[:1]:
            raise InputError(
                f"{cells.where(row + 1, name)}: {count_R[row]:g} cannot be the {name} of a language model; "
                f"write the count itself ({count_R[row]:g} million is {count_R[row] * 1e6:.0f})"
            )
    ratio_R = np.maximum(flops_R / computed_R, computed_R / flops_R)
    for row in np.flatnonzero(ratio_R > MOST_FLOPS_RATIO)[:1]:
        raise InputError(
            f"{cells.where(row + 1, 'flops')}: {flops_R[row]:.3g} is far from 6 N D = {computed_R[row]:.3g}; "
            "write FLOPs, not exaFLOPs or petaFLOP/s-days, or correct params and tokens"
        )
