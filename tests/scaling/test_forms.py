"""Each form against the formula of its paper, written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.scaling.forms import COMPUTE_FLOOR, DATA_CONSTRAINED, KAPLAN, PLAIN
from slm_jax.scaling.forms.shared_floor import SharedFloor
from slm_jax.scaling.forms.sigmoid import Sigmoid
from slm_jax.scaling.law_fit import LawFit

FLOOR, SCALE, EXPONENT = st.floats(0.1, 3), st.floats(1, 2000), st.floats(0.1, 1.0)
PLAIN_LAWS = st.tuples(FLOOR, SCALE, SCALE, EXPONENT, EXPONENT)
HALF_LIFE = st.floats(0.1, 100)
SIZES, AMOUNTS = st.floats(1e5, 1e11), st.floats(1e6, 1e13)
LAWS = {
    PLAIN: PLAIN_LAWS,
    DATA_CONSTRAINED: st.tuples(FLOOR, SCALE, SCALE, EXPONENT, EXPONENT, HALF_LIFE, HALF_LIFE),
    KAPLAN: st.tuples(st.floats(1e10, 1e15), st.floats(1e10, 1e15), EXPONENT, EXPONENT),
    COMPUTE_FLOOR: st.tuples(FLOOR, SCALE, EXPONENT),
    Sigmoid(0.5): st.tuples(FLOOR, st.floats(0.5, 10)),
}


@pytest.mark.parametrize("form", LAWS, ids=lambda form: form.name)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_theta_and_values_are_inverse(form, data):
    values = np.array(data.draw(LAWS[form]))
    np.testing.assert_allclose(form.values(form.theta(values), np.zeros(len(form.columns))), values)
    assert len(form.coordinates) == len(form.symbols) == len(values)


@settings(max_examples=30, deadline=None)
@given(law=PLAIN_LAWS, params=SIZES, tokens=AMOUNTS)
def test_plain(law, params, tokens):
    E, A, B, alpha, beta = law
    np.testing.assert_allclose(PLAIN.loss(law, params, tokens), E + A / params**alpha + B / tokens**beta)


@settings(max_examples=30, deadline=None)
@given(law=LAWS[KAPLAN], params=SIZES, tokens=AMOUNTS)
def test_kaplan(law, params, tokens):
    N_c, D_c, alpha_N, alpha_D = law
    expected = ((N_c / params) ** (alpha_N / alpha_D) + D_c / tokens) ** alpha_D
    np.testing.assert_allclose(KAPLAN.loss(law, params, tokens), expected)


@settings(max_examples=60, deadline=None)
@given(law=LAWS[DATA_CONSTRAINED], params=SIZES, tokens=AMOUNTS, unique=AMOUNTS)
def test_data_constrained_is_muennighoffs(law, params, tokens, unique):
    E, A, B, alpha, beta, R_N, R_D = law
    U_D = min(unique, tokens)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    a = beta / (alpha + beta)
    compute_over_6 = (U_D * G) ** (1 / (1 - a))  # whose D_opt is U_D
    U_N = min(params, G * compute_over_6**a)
    N = U_N + U_N * R_N * (1 - math.exp(-(params / U_N - 1) / R_N))
    D = U_D + U_D * R_D * (1 - math.exp(-(tokens / U_D - 1) / R_D))
    expected = E + A / N**alpha + B / D**beta
    np.testing.assert_allclose(DATA_CONSTRAINED.loss(law, params, tokens, unique), expected, rtol=1e-9)


USUAL = st.tuples(FLOOR, st.floats(10, 1000), st.floats(10, 1000), st.floats(0.2, 0.6), st.floats(0.2, 0.6))


@settings(max_examples=30, deadline=None)
@given(law=USUAL, params=SIZES, tokens=AMOUNTS, unique=AMOUNTS)
def test_without_decay_repeated_data_are_as_new(law, params, tokens, unique):
    plain = PLAIN.loss(law, params, tokens)
    np.testing.assert_allclose(DATA_CONSTRAINED.loss((*law, 1e30, 1e30), params, tokens, unique), plain)
    assert DATA_CONSTRAINED.loss((*law, 5.0, 15.0), params, tokens, unique) >= plain * (1 - 1e-9)


@settings(max_examples=20, deadline=None)
@given(law=LAWS[DATA_CONSTRAINED], params=SIZES, unique=AMOUNTS)
def test_a_law_says_the_same_about_centred_columns(law, params, unique):
    form, columns = DATA_CONSTRAINED, np.log([[params, 2 * params], [unique, 9 * unique], [unique, unique]])
    center = form.center(columns)
    theta = form.theta(np.array(law))
    theta[1] -= theta[3] * center[0]
    theta[2] -= theta[4] * center[1]
    np.testing.assert_allclose(form.values(theta, center), law, rtol=1e-9)
    centred = form.response(tuple(theta), *(columns - center[:, None]))
    np.testing.assert_allclose(np.exp(centred), form.loss(law, *np.exp(columns)), rtol=1e-9)


def test_sigmoid_falls_from_one_to_chance():
    form = Sigmoid(0.25)
    theta = form.theta(np.array([2.0, 6.0]))
    low, middle, high = form.response(tuple(theta), np.log([1e-6, 2.0, 1e6]))
    assert (low, middle, high) == pytest.approx((1.0, 0.625, 0.25))


@pytest.mark.parametrize("form", [DATA_CONSTRAINED, KAPLAN, COMPUTE_FLOOR], ids=lambda form: form.name)
def test_each_form_recovers_a_law_from_clean_data(form, fewer_starts):
    rng = np.random.default_rng(0)
    size, budget = np.meshgrid(2.0 ** np.arange(-3, 4, 2), np.geomspace(1e17, 1e20, 8))
    size, budget, unique = size.ravel(), budget.ravel(), rng.choice([3e7, 3e8], 32)
    params = 0.1 * np.sqrt(budget / 6) * size
    tokens = budget / (6 * params)
    law, columns = {
        "data_constrained": (
            (1.87, 521, 1488, 0.35, 0.36, 5.3, 15.4),
            (params, tokens, unique),
        ),
        "kaplan": ((1e13, 5e13, 0.076, 0.103), (params, tokens)),
        "compute_floor": ((1.7, 90.0, 0.12), (np.geomspace(1e16, 1e22, 16),)),
    }[form.name]
    loss = form.loss(np.array(law), *columns)
    fit = LawFit(form, columns, np.log(loss), resamples=1, rng=rng)
    np.testing.assert_allclose(fit.values_P, law, rtol=1e-3)
    assert fit.at_bounds() == [] and fit.starts_at_optimum > 0.02 * fit.starts


def test_two_laws_with_one_floor_are_told_together():
    own = np.array([[1.7, 14, 40, 0.25, 0.24], [1.7, 400, 410, 0.34, 0.28]])
    form = SharedFloor(own)
    values = np.array([1.7, 14, 40, 0.25, 0.24, 400, 410, 0.34, 0.28])
    params, tokens, group = np.array([1e7, 1e8]), np.array([1e9, 2e9]), np.exp([0.0, 1.0])
    expected = [PLAIN.loss(own[g], params[g], tokens[g]) for g in range(2)]
    np.testing.assert_allclose(form.loss(values, params, tokens, group), expected)
    np.testing.assert_allclose(form.values(form.theta(values), np.zeros(3)), values)
    assert form == SharedFloor(own + 1)  # one compiled program for all pairs of groups


def test_what_a_table_must_have():
    params, tokens = np.geomspace(1e6, 1e8, 12), np.tile([1e8, 1e9, 1e10], 4)
    fresh = DATA_CONSTRAINED.why_not_identified(params, tokens, np.full(12, 1e12))
    assert fresh == "it needs at least 4 runs that saw their data again; the table has 0"
    unknown = DATA_CONSTRAINED.why_not_identified(params, tokens, np.full(12, np.nan))
    assert unknown == "it needs the unique tokens of every run"
    assert DATA_CONSTRAINED.why_not_identified(params, tokens, np.full(12, 1e8)) is None
    assert "5 frontier runs" in COMPUTE_FLOOR.why_not_identified(np.array([1e9, 1e10]))
    assert "different losses" in Sigmoid(0.5).why_not_identified(np.ones(9))
