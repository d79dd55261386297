"""What the fitter must know about a law: one small object a form, one file each."""

import abc
import itertools

import jax
import jax.numpy as jnp
import numpy as np

# Hoffmann et al. 2022, appendix D.3: 4,500 starts.
START_E = np.arange(-1.0, 1.01, 0.5)
START_TERM = np.arange(0.0, 25.01, 5.0)
START_EXPONENT = np.arange(0.0, 2.01, 0.5)

EXPONENT_BOUNDS = (0.01, 2.0)  # below: not told apart from a constant; above: steeper than any reported law
LEAST_E = 1e-3  # of the lowest loss: zero for all purposes; E is at most the lowest loss
TERM_BOUNDS = (-12.0, 6.0)  # log of a term at the mean log N (log D), relative to the lowest loss


class Form(abc.ABC):
    """A law of the loss with P parameters, as a function of K columns of the table.

    The fit works on theta, P numbers inside a box, and on the logarithms of the columns minus `center` (their
    means), which keeps the parameters from trading against each other. `values` are the parameters in natural
    units, as papers print them.
    """

    name: str
    formula: str
    symbols: tuple[str, ...]  # the P parameters
    coordinates: tuple[str, ...]  # what theta is when the columns are not centred
    columns: tuple[str, ...]  # the K columns: "params", "tokens", "unique_tokens", "flops", "group"

    @abc.abstractmethod
    def response(self, theta, *log_x):
        """What is fitted, log L: elementwise and differentiable, of P and K arrays that broadcast.

        Written for the arrays' own namespace: JAX traces it, NumPy evaluates it.
        """

    @abc.abstractmethod
    def starts(self, center_K: np.ndarray) -> np.ndarray:
        """The grid of starts: theta_SxP."""

    @abc.abstractmethod
    def box(self, lowest: float) -> np.ndarray:
        """Lower and upper bounds of theta, 2xP; `lowest` is the log of the lowest loss of the table."""

    @abc.abstractmethod
    def values(self, theta: np.ndarray, center_K: np.ndarray) -> np.ndarray:
        """Natural parameters of theta (last axis P)."""

    @abc.abstractmethod
    def theta(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `values` for columns that are not centred."""

    @abc.abstractmethod
    def why_not_identified(self, *x_R: np.ndarray) -> str | None:
        """Why a table with these columns cannot determine the parameters, or None when it can."""

    def center(self, log_x_KxR: np.ndarray) -> np.ndarray:
        """What is subtracted from the logarithm of each column."""
        return log_x_KxR.mean(axis=1)

    def loss(self, values, *x) -> np.ndarray:
        """L in nats per token: parameters along the last axis of `values`, K columns that broadcast."""
        return np.exp(evaluate(self, self.theta(np.asarray(values, float)), [np.log(column) for column in x]))


def evaluate(form: Form, theta: np.ndarray, log_x) -> np.ndarray:
    """The response of a form in float64: theta along the last axis, columns that broadcast with the rest."""
    parts = tuple(np.asarray(part, float) for part in np.moveaxis(theta, -1, 0))
    return form.response(parts, *(np.asarray(column, float) for column in log_x))


def jacobian(form: Form, theta_P: np.ndarray, log_x_KxR: np.ndarray) -> np.ndarray:
    """Derivatives of the response of each row by theta: RxP."""
    with jax.enable_x64(True):
        theta, log_x = (tuple(map(jnp.asarray, part)) for part in (theta_P, log_x_KxR))
        return np.stack(jax.jacfwd(lambda theta: form.response(theta, *log_x))(theta), axis=-1)


def product_grid(*axes) -> np.ndarray:
    """Every combination of the numbers given for each parameter, SxP."""
    return np.array(list(itertools.product(*axes)), float)


def distinct(values_R: np.ndarray) -> int:
    """Number of values that differ by more than 5 %."""
    return 1 + int((np.diff(np.sort(np.log(values_R))) > np.log(1.05)).sum())
