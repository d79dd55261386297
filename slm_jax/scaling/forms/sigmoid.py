"""Accuracy against loss: a sigmoid that falls from 1 to the level of chance as the loss grows."""

import dataclasses

import numpy as np

from slm_jax.scaling.forms.form import Form, product_grid

START_MIDDLE = np.arange(-1.0, 1.01, 0.25)  # log of the loss, about its mean
START_STEEPNESS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
MIDDLE_BOUNDS = (-4.0, 4.0)
STEEPNESS_BOUNDS = (0.01, 100.0)
MIN_LOSSES = 4


@dataclasses.dataclass(frozen=True)
class Sigmoid(Form):
    """Q(L) = chance + (1 - chance) / (1 + (L / middle)^steepness), theta = (log middle, steepness)."""

    chance: float
    name = "sigmoid"
    formula = "Q(L) = chance + (1 - chance) / (1 + (L / middle)^steepness)"
    symbols = ("middle", "steepness")
    coordinates = ("log middle", "steepness")
    columns = ("loss",)

    def response(self, theta, x):
        """The accuracy."""
        xp = theta[0].__array_namespace__()
        middle, steepness = theta
        return self.chance + (1 - self.chance) / (1 + xp.exp(steepness * (x - middle)))

    def starts(self, center_K):
        return product_grid(START_MIDDLE, START_STEEPNESS)

    def box(self, lowest):
        return np.array([MIDDLE_BOUNDS, STEEPNESS_BOUNDS]).T

    def values(self, theta, center_K):
        return np.stack([np.exp(theta[..., 0] + center_K[0]), theta[..., 1]], axis=-1)

    def theta(self, values):
        return np.stack([np.log(values[..., 0]), values[..., 1]], axis=-1)

    def why_not_identified(self, loss_R):
        losses = len(np.unique(loss_R))
        return (
            f"needs at least {MIN_LOSSES} different losses; there are {losses}"
            if losses < MIN_LOSSES
            else None
        )
