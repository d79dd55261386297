"""The law L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, approach 3)."""

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

MIN_SIZES = 3
TOGETHER = 0.99  # correlation of log N and log D


class Plain(Form):
    """theta = (e, a, b, alpha, beta): log L = logsumexp(e, a - alpha x, b - beta y)."""

    name = "plain"
    formula = "L(N, D) = E + A / N^alpha + B / D^beta"
    symbols = ("E", "A", "B", "alpha", "beta")
    coordinates = ("log E", "log A", "log B", "alpha", "beta")
    columns = ("params", "tokens")
    min_runs = 6

    def response(self, theta, x, y):
        xp = theta[0].__array_namespace__()
        e, a, b, alpha, beta = theta
        return xp.log(xp.exp(e) + xp.exp(a - alpha * x) + xp.exp(b - beta * y))

    def starts(self, center_K):
        starts_Sx5 = product_grid(START_E, START_TERM, START_TERM, START_EXPONENT, START_EXPONENT)
        starts_Sx5[:, 1] -= starts_Sx5[:, 3] * center_K[0]
        starts_Sx5[:, 2] -= starts_Sx5[:, 4] * center_K[1]
        return starts_Sx5

    def box(self, lowest):
        term = (lowest + TERM_BOUNDS[0], lowest + TERM_BOUNDS[1])
        floor = (lowest + np.log(LEAST_E), lowest)
        return np.array([floor, term, term, EXPONENT_BOUNDS, EXPONENT_BOUNDS]).T

    def values(self, theta, center_K):
        e, a, b, alpha, beta = np.moveaxis(theta, -1, 0)
        terms = (e, a + alpha * center_K[0], b + beta * center_K[1])
        return np.stack([*np.exp(terms), alpha, beta], axis=-1)

    def theta(self, values):
        return np.concatenate([np.log(values[..., :3]), values[..., 3:]], axis=-1)

    def why_not_identified(self, params_R, tokens_R):
        sizes, amounts = distinct(params_R), distinct(tokens_R)
        if len(params_R) < self.min_runs:
            count = {4: "four", 5: "five", 7: "seven"}[len(self.symbols)]
            return f"{count} parameters need at least {self.min_runs} runs; the table has {len(params_R)}"
        if sizes < MIN_SIZES:
            return f"A, alpha and E need at least {MIN_SIZES} model sizes; the table has {sizes}"
        if amounts < MIN_SIZES:
            return f"B, beta and E need at least {MIN_SIZES} token counts; the table has {amounts}"
        if np.corrcoef(np.log(params_R), np.log(tokens_R))[0, 1] > TOGETHER:
            return "tokens grow in step with parameters, so that their effects cannot be told apart"
        return None


PLAIN = Plain()


def law_loss(law: dict | np.ndarray, params, tokens):
    """L(N, D) in nats per token; `law` holds E, A, B, alpha, beta by name or along its last axis."""
    E, A, B, alpha, beta = five(law)
    return E + A / params**alpha + B / tokens**beta


def five(law: dict | np.ndarray) -> tuple:
    """E, A, B, alpha, beta of a law by name or along its last axis."""
    if isinstance(law, dict):
        return tuple(law[name] for name in PLAIN.symbols)
    return tuple(np.moveaxis(np.asarray(law), -1, 0))
