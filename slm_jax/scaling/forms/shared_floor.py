"""Two groups of runs with one irreducible loss E and everything else their own."""

import dataclasses

import numpy as np

from slm_jax.scaling.forms.form import EXPONENT_BOUNDS, LEAST_E, TERM_BOUNDS, Form
from slm_jax.scaling.forms.plain import PLAIN

START_SHARES = np.linspace(0.0, 1.0, 9)  # of the way between the groups' own log E


@dataclasses.dataclass(frozen=True)
class SharedFloor(Form):
    """theta = (e, a_1, b_1, alpha_1, beta_1, a_2, ...): the plain law of each row's group, with a common e.

    `own_2x5` are the natural parameters of the groups' separate laws, from which the starts are made. The
    column `group` holds exp(0) for rows of the first group and exp(1) for those of the second.
    """

    own_2x5: np.ndarray = dataclasses.field(compare=False)
    name = "shared_floor"
    formula = "L_g(N, D) = E + A_g / N^alpha_g + B_g / D^beta_g"
    symbols = ("E", *(f"{symbol}_{g}" for g in (1, 2) for symbol in PLAIN.symbols[1:]))
    coordinates = ("log E", *(f"{name}_{g}" for g in (1, 2) for name in PLAIN.coordinates[1:]))
    columns = ("params", "tokens", "group")

    def response(self, theta, x, y, group):
        xp = theta[0].__array_namespace__()
        first, second = (PLAIN.response((theta[0], *theta[k : k + 4]), x, y) for k in (1, 5))
        return xp.where(group < 0.5, first, second)

    def center(self, log_x_KxR):
        return np.append(log_x_KxR[:2].mean(axis=1), 0.0)

    def starts(self, center_K):
        theta_2x5 = PLAIN.theta(self.own_2x5)
        theta_2x5[:, 1] -= theta_2x5[:, 3] * center_K[0]
        theta_2x5[:, 2] -= theta_2x5[:, 4] * center_K[1]
        floors = theta_2x5[0, 0] + START_SHARES * (theta_2x5[1, 0] - theta_2x5[0, 0])
        return np.array([[floor, *theta_2x5[0, 1:], *theta_2x5[1, 1:]] for floor in floors])

    def box(self, lowest):
        own = [(lowest + TERM_BOUNDS[0], lowest + TERM_BOUNDS[1] + 6.0)] * 2 + [EXPONENT_BOUNDS] * 2
        return np.array([(lowest + np.log(LEAST_E), lowest), *own, *own]).T

    def values(self, theta, center_K):
        floor = theta[..., :1]
        first, second = (
            PLAIN.values(np.concatenate([floor, theta[..., k : k + 4]], axis=-1), center_K) for k in (1, 5)
        )
        return np.concatenate([first, second[..., 1:]], axis=-1)

    def theta(self, values):
        floor = values[..., :1]
        first, second = (
            PLAIN.theta(np.concatenate([floor, values[..., k : k + 4]], axis=-1)) for k in (1, 5)
        )
        return np.concatenate([first, second[..., 1:]], axis=-1)

    def why_not_identified(self, *x_R):
        return None
