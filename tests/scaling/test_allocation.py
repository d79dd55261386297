"""What a budget is best spent on, against SciPy's one-dimensional minimizer and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from slm_jax.errors import InputError
from slm_jax.scaling import allocate
from slm_jax.scaling.allocation import best_split, cost_of_being_off
from slm_jax.scaling.forms import DATA_CONSTRAINED, KAPLAN, PLAIN

HOFFMANN = (1.69, 406.4, 410.7, 0.34, 0.28)
REPEATING = (1.87, 521.0, 1488.0, 0.353, 0.353, 5.31, 15.39)
KAPLANS = (8.8e13, 5.4e13, 0.076, 0.095)
UNIQUE = 1e9


@pytest.mark.parametrize("flops", [1e17, 1e21])
@pytest.mark.parametrize(
    ("form", "law", "unique"),
    [
        (PLAIN, HOFFMANN, None),
        (KAPLAN, KAPLANS, None),
        (DATA_CONSTRAINED, REPEATING, UNIQUE),
    ],
    ids=["plain", "kaplan", "data_constrained"],
)
def test_the_best_split_is_scipys(form, law, unique, flops):
    given = () if unique is None else (unique,)

    def loss(log_n):
        return float(form.loss(law, np.exp(log_n), flops / (6 * np.exp(log_n)), *given))

    tried = np.linspace(np.log(1e4), np.log(1e13), 300)
    start = tried[np.argmin([loss(log_n) for log_n in tried])]
    expected = optimize.minimize_scalar(loss, bounds=(start - 0.1, start + 0.1), method="bounded")
    params, tokens, found = best_split(form, law, flops, unique)
    assert found <= expected.fun * (1 + 1e-12)
    assert np.log(params) == pytest.approx(expected.x, abs=2e-3)
    assert 6 * params * tokens == pytest.approx(flops)


def test_broadcasts_over_laws_and_budgets():
    laws_2x7 = np.array([REPEATING, (*HOFFMANN, 3.0, 8.0)])
    params_2x3, _, _ = best_split(DATA_CONSTRAINED, laws_2x7[:, None], np.array([1e18, 1e20, 1e22]), UNIQUE)
    assert params_2x3.shape == (2, 3)
    np.testing.assert_allclose(params_2x3[1, 2], best_split(DATA_CONSTRAINED, laws_2x7[1], 1e22, UNIQUE)[0])


def test_with_fresh_data_enough_the_two_laws_agree():
    # At the optimum of fresh data no parameter is in surplus: N_opt(U_D) is the best size itself.
    plain = best_split(PLAIN, HOFFMANN, 1e20)
    repeating = best_split(DATA_CONSTRAINED, (*HOFFMANN, 5.0, 15.0), 1e20, 1e15)
    np.testing.assert_allclose(repeating, plain, rtol=1e-4)


def test_little_data_are_repeated_and_cost_loss():
    _, tokens, loss = best_split(DATA_CONSTRAINED, REPEATING, 1e21, 1e8)
    assert tokens > 2e8 and loss > best_split(PLAIN, REPEATING[:5], 1e21)[2]


@settings(max_examples=30, deadline=None)
@given(log_flops=st.floats(16, 24), factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_the_cost_of_being_off_is_the_closed_form(log_flops, factor):
    E, A, B, alpha, beta = HOFFMANN
    flops = 10**log_flops
    params, tokens, best = best_split(PLAIN, HOFFMANN, flops)
    loss, wasted = cost_of_being_off(PLAIN, np.array(HOFFMANN), flops, factor)
    assert loss == pytest.approx(E + A / (params * factor) ** alpha + B / (tokens / factor) ** beta)
    # L_opt - E falls as C^-x, x = alpha beta / (alpha + beta): so much less compute would have done.
    expected = ((loss - E) / (best - E)) ** ((alpha + beta) / (alpha * beta)) - 1
    assert wasted == pytest.approx(expected, rel=1e-4, abs=1e-6)


def laws_of(law=HOFFMANN, samples=50):
    spread = np.exp(0.01 * np.random.default_rng(0).standard_normal((samples, 5)))
    record = {symbol: {"value": value} for symbol, value in zip(PLAIN.symbols, law, strict=True)}
    group = {
        "loss_law": {**record, "tail": 0.025},
        "other_forms": {},
        "absent": {"data_constrained": "it needs the unique tokens of every run"},
        "flops": {"least": 1e17, "most": 1e20},
        "unique_tokens": None,
    }
    return {
        "source": "runs.csv",
        "groups": {"speech": group},
        "samples": {"speech": {"plain": (np.array(law) * spread).tolist()}},
    }


def test_allocate_tells_estimates_with_intervals():
    found = allocate(laws_of(), 1e20)
    params, tokens, loss = best_split(PLAIN, HOFFMANN, 1e20)
    for key, value in (("params", params), ("tokens", tokens), ("loss", loss)):
        assert found[key]["value"] == pytest.approx(value)
        assert found[key]["low"] < value < found[key]["high"]
    assert found["tokens_per_parameter"]["value"] == pytest.approx(tokens / params)
    assert [side["factor"] for side in found["off"]] == [0.5, 2.0]
    assert found["warnings"] == []
    (warning,) = allocate(laws_of(), 1.1e21)["warnings"]
    assert "11 times the largest compute" in warning


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flops": -1.0}, "flops is -1.0: give a positive number"),
        ({"flops": 1e20, "group": "text"}, "there is no group 'text'.*'speech'"),
        ({"flops": 1e20, "unique_tokens": 0}, "unique_tokens is 0"),
        ({"flops": 1e20, "unique_tokens": 1e9}, "has no data_constrained law: it needs the unique tokens"),
    ],
)
def test_bad_questions_are_answered_in_a_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        allocate(laws_of(), **arguments)


def test_the_group_must_be_named_when_there_are_several():
    laws = laws_of()
    laws["groups"]["text"] = laws["groups"]["speech"]
    with pytest.raises(InputError, match=r"no group was given.*'speech', 'text'"):
        allocate(laws, 1e20)
