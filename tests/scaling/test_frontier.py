import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.scaling import optimum
from slm_jax.scaling.forms import law_loss
from slm_jax.scaling.frontier import allocation_exponents, on_frontier

LAWS = st.fixed_dictionaries(
    {
        "E": st.floats(0.1, 3),
        "A": st.floats(1, 1000),
        "B": st.floats(1, 1000),
        "alpha": st.floats(0.1, 1.0),
        "beta": st.floats(0.1, 1.0),
    }
)


@settings(max_examples=60, deadline=None)
@given(law=LAWS, log_flops=st.floats(10, 24))
def test_the_closed_form_is_the_grid_minimum(law, log_flops):
    flops = 10**log_flops
    params, tokens, loss = optimum(law, flops)
    np.testing.assert_allclose(6 * params * tokens, flops, rtol=1e-9)
    sizes = params * np.geomspace(1e-3, 1e3, 4001)
    losses = law_loss(law, sizes, flops / (6 * sizes))
    assert loss <= losses.min() * (1 + 1e-12)
    np.testing.assert_allclose(np.log(sizes[losses.argmin()] / params), 0, atol=0.01)


@settings(max_examples=30, deadline=None)
@given(law=LAWS)
def test_exponents_are_the_slopes_of_the_optimum(law):
    params, tokens, _ = optimum(law, np.array([1e15, 1e18]))
    a, b = allocation_exponents(law)
    np.testing.assert_allclose(
        [np.log10(params[1] / params[0]) / 3, np.log10(tokens[1] / tokens[0]) / 3], [a, b]
    )


def test_optimum_broadcasts_over_laws():
    laws_2x5 = np.array([[1.7, 14, 40, 0.25, 0.24], [1.6, 400, 410, 0.34, 0.28]])
    params_2x3, _, loss_2x3 = optimum(laws_2x5[:, None, :], np.array([1e17, 1e18, 1e19]))
    assert params_2x3.shape == loss_2x3.shape == (2, 3)
    np.testing.assert_allclose(params_2x3[1, 2], optimum(laws_2x5[1], 1e19)[0])


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(st.floats(1, 100), st.floats(1, 10)), min_size=1, max_size=20))
def test_frontier_runs_are_those_nothing_beats(rows):
    flops_R, loss_R = np.array(rows).T
    expected = [not any(f <= flops * 1.1 and lo < loss for f, lo in rows) for flops, loss in rows]
    np.testing.assert_array_equal(on_frontier(flops_R, loss_R), expected)
