"""Loss against compute with an irreducible part: L(C) = E + K / C^k."""

import numpy as np

from slm_jax.scaling.forms.form import (
    EXPONENT_BOUNDS,
    LEAST_E,
    START_E,
    START_EXPONENT,
    START_TERM,
    TERM_BOUNDS,
    Form,
    distinct,
    product_grid,
)

MIN_BUDGETS = 5


class ComputeFloor(Form):
    """theta = (e, c, k): log L = logsumexp(e, c - k x)."""

    name = "compute_floor"
    formula = "L(C) = E + K / C^k"
    symbols = ("E", "K", "k")
    coordinates = ("log E", "log K", "k")
    columns = ("flops",)

    def response(self, theta, x):
        xp = theta[0].__array_namespace__()
        e, c, k = theta
        return xp.log(xp.exp(e) + xp.exp(c - k * x))

    def starts(self, center_K):
        starts_Sx3 = product_grid(START_E, START_TERM, START_EXPONENT)
        starts_Sx3[:, 1] -= starts_Sx3[:, 2] * center_K[0]
        return starts_Sx3

    def box(self, lowest):
        floor = (lowest + np.log(LEAST_E), lowest)
        return np.array([floor, (lowest + TERM_BOUNDS[0], lowest + TERM_BOUNDS[1]), EXPONENT_BOUNDS]).T

    def values(self, theta, center_K):
        e, c, k = np.moveaxis(theta, -1, 0)
        return np.stack([np.exp(e), np.exp(c + k * center_K[0]), k], axis=-1)

    def theta(self, values):
        return np.concatenate([np.log(values[..., :2]), values[..., 2:]], axis=-1)

    def why_not_identified(self, flops_R):
        budgets = distinct(flops_R)
        if budgets < MIN_BUDGETS:
            return f"E, K and k need {MIN_BUDGETS} frontier runs of different compute; there are {budgets}"
        return None


COMPUTE_FLOOR = ComputeFloor()
