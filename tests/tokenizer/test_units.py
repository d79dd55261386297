"""Assignment and collapsing against brute force."""

import itertools

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from slm_jax.tokenizer.units import assign, collapse, distances


@given(st.lists(st.integers(0, 2**16 - 3), max_size=60) | st.lists(st.integers(0, 1), max_size=60))
def test_collapse_removes_exactly_the_repeats(units):
    units_T = np.array(units, np.uint16)
    units_L, runs_L = collapse(units_T)
    expected = [(unit, len(list(run))) for unit, run in itertools.groupby(units)]
    assert list(zip(units_L.tolist(), runs_L.tolist(), strict=True)) == expected
    assert units_L.dtype == np.uint16


def test_assignment_is_the_nearest_centroid_in_numpy_and_in_jax():
    rng = np.random.default_rng(0)
    features, centroids = rng.normal(size=(500, 26)), rng.normal(size=(64, 26))
    nearest = cdist(features, centroids).argmin(1)
    np.testing.assert_array_equal(assign(features, centroids), nearest)
    in_jax = distances(jnp.asarray(features), jnp.asarray(centroids)).argmin(-1)
    np.testing.assert_array_equal(np.asarray(in_jax), nearest)


def test_the_lower_unit_wins_a_tie():
    assert assign(np.zeros((1, 2)), np.array([[1.0, 0.0], [-1.0, 0.0]])).tolist() == [0]
