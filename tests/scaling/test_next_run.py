"""The suggested run against the covariance recomputed with that run in the table."""

import numpy as np
import pytest
from test_allocation import HOFFMANN, laws_of

from slm_jax.errors import InputError
from slm_jax.scaling import suggest
from slm_jax.scaling.frontier import optimum

NOISE = 0.004
COLUMNS = np.array([10 ** np.linspace(7, 9.5, 12), np.tile([2e9, 1e10, 6e10], 4)])


def derivatives(params, tokens):
    """Of log L by (log E, log A, log B, alpha, beta), in closed form."""
    E, A, B, alpha, beta = HOFFMANN
    size, data = np.asarray(A / params**alpha), np.asarray(B / tokens**beta)
    parts = [np.full_like(size, E), size, data, -size * np.log(params), -data * np.log(tokens)]
    return np.stack(parts, axis=-1) / np.asarray(E + size + data)[..., None]


def laws():
    found = laws_of()
    information = derivatives(*COLUMNS).T @ derivatives(*COLUMNS) / NOISE**2
    record = found["groups"]["speech"]["loss_law"]
    record |= {"noise": NOISE, "covariance": {"matrix": np.linalg.inv(information).tolist()}}
    return found, information


def test_the_standard_error_falls_as_told():
    found, information = laws()
    told = suggest(found, target="loss")
    params, tokens, _ = optimum(np.array(HOFFMANN), 1e21)
    gradient = derivatives(params, tokens)  # the loss at an optimum moves as it would with N and D held
    before = np.sqrt(gradient @ np.linalg.inv(information) @ gradient)
    assert told["standard_error"] == pytest.approx(before, rel=1e-4)
    assert [row["flops"] for row in told["candidates"]] == pytest.approx([1e20, 10**20.5, 1e21])
    for row in told["candidates"]:
        new = derivatives(row["params"], row["tokens"])
        after = np.linalg.inv(information + np.outer(new, new) / NOISE**2)
        assert row["narrows"] == pytest.approx(1 - np.sqrt(gradient @ after @ gradient) / before, rel=1e-3)
        assert 6 * row["params"] * row["tokens"] == pytest.approx(row["flops"])


def test_no_size_nearby_would_narrow_more():
    found, information = laws()
    told = suggest(found, target="a", budgets=[1e20])
    *_, alpha, beta = HOFFMANN
    gradient = np.array([0, 0, 0, -beta, alpha]) / (alpha + beta) ** 2
    (row,) = told["candidates"]

    def error(params):
        new = derivatives(params, 1e20 / (6 * params))
        after = np.linalg.inv(information + np.outer(new, new) / NOISE**2)
        return np.sqrt(gradient @ after @ gradient)

    sizes = optimum(np.array(HOFFMANN), 1e20)[0] * 2.0 ** np.arange(-4, 5)
    assert row["params"] == pytest.approx(sizes[np.argmin([error(size) for size in sizes])])
    assert told["best"] == row


def test_an_unknown_target_is_named():
    with pytest.raises(InputError, match="target is 'speed': give one of loss, a, reducible_exponent"):
        suggest(laws()[0], target="speed")
