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


def test_no_run_sees_the_corpus_more_often_than_is_of_use():
    found, information = laws()
    free = suggest(found)["candidates"]
    assert all(row["epochs"] is None for row in free)
    corpus = optimum(np.array(HOFFMANN), 1e21)[1] / 40
    found["groups"]["speech"]["unique_tokens"] = corpus
    enough = suggest(found, max_epochs=1e3)["candidates"]
    assert enough == [row | {"epochs": pytest.approx(row["tokens"] / corpus)} for row in free]
    for most in (None, 2.0):
        told = suggest(found, **({} if most is None else {"max_epochs": most}))["candidates"]
        for row in told:
            assert row["tokens"] <= (most or 4.0) * corpus * (1 + 1e-9)
            assert row["epochs"] == pytest.approx(row["tokens"] / corpus)
            assert 6 * row["params"] * row["tokens"] == pytest.approx(row["flops"])
    # At the largest budget 16 times the best size would still see it 2.5 times.
    assert told[-1]["epochs"] == pytest.approx(2.0)
    gradient = derivatives(*optimum(np.array(HOFFMANN), 1e21)[:2])
    new = derivatives(told[-1]["params"], told[-1]["tokens"])
    before, after = (
        gradient @ np.linalg.inv(known) @ gradient
        for known in (information, information + np.outer(new, new) / NOISE**2)
    )
    assert told[-1]["narrows"] == pytest.approx(1 - np.sqrt(after / before), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "speed"}, "target is 'speed': give one of loss, a, reducible_exponent"),
        ({"max_epochs": 0.0}, "max_epochs is 0.0: give a positive number"),
        ({"max_epochs": float("nan")}, "max_epochs is nan: give a positive number"),
    ],
)
def test_what_is_no_question_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        suggest(laws()[0], **arguments)
