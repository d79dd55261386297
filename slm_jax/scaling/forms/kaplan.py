"""The law of Kaplan et al. 2020, equation 1.5: L = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D."""

import numpy as np

from slm_jax.scaling.forms.form import EXPONENT_BOUNDS, TERM_BOUNDS, product_grid
from slm_jax.scaling.forms.plain import Plain

START_TERM = np.arange(-2.0, 3.01, 1.0)  # log loss at the mean of the table, data or size unlimited
START_EXPONENT = np.geomspace(0.02, 1.0, 6)


class Kaplan(Plain):
    """theta = (n, d, alpha_N, alpha_D): n = alpha_N log N_c and d = alpha_D log D_c.

    They are the log loss at N = 1 with data without limit, and the reverse, here about the means.
    Loss goes to zero as both grow: there is no irreducible loss.
    """

    name = "kaplan"
    formula = "L(N, D) = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D"
    symbols = ("N_c", "D_c", "alpha_N", "alpha_D")
    coordinates = ("alpha_N log N_c", "alpha_D log D_c", "alpha_N", "alpha_D")

    def response(self, theta, x, y):
        xp = theta[0].__array_namespace__()
        n, d, alpha_n, alpha_d = theta
        return alpha_d * xp.logaddexp((n - alpha_n * x) / alpha_d, (d - alpha_d * y) / alpha_d)

    def starts(self, center_K):
        return product_grid(START_TERM, START_TERM, START_EXPONENT, START_EXPONENT)

    def box(self, lowest):
        term = (lowest + TERM_BOUNDS[0], lowest + TERM_BOUNDS[1])
        return np.array([term, term, EXPONENT_BOUNDS, EXPONENT_BOUNDS]).T

    def values(self, theta, center_K):
        n, d, alpha_n, alpha_d = np.moveaxis(theta, -1, 0)
        scales = np.exp((n / alpha_n + center_K[0], d / alpha_d + center_K[1]))
        return np.stack([*scales, alpha_n, alpha_d], axis=-1)

    def theta(self, values):
        n_c, d_c, alpha_n, alpha_d = np.moveaxis(values, -1, 0)
        return np.stack([alpha_n * np.log(n_c), alpha_d * np.log(d_c), alpha_n, alpha_d], axis=-1)


KAPLAN = Kaplan()
