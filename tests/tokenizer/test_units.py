"""Assignment and collapsing against brute force."""

import itertools
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from slm_jax.tokenizer import assign_on_device as device
from slm_jax.tokenizer.assign_on_device import assign_on_device
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


def test_equal_centroids_give_the_lower_unit_whatever_their_place():
    rng = np.random.default_rng(1)
    features = rng.normal(0, 30, (300, 39)).astype(np.float32)
    centroids = rng.normal(0, 30, (97, 39)).astype(np.float32)
    twice = np.concatenate([centroids, centroids, centroids])
    np.testing.assert_array_equal(assign(features, twice), cdist(features, centroids).argmin(1))


@pytest.mark.parametrize("dim", [1, 26, 768])
def test_where_float32_cannot_tell_float64_decides(dim):
    rng = np.random.default_rng(2)
    centers = rng.normal(100, 1, (20, dim))
    nearly_equal = np.nextafter(np.float32(centers), np.float32(np.inf))
    centroids = np.concatenate([centers, nearly_equal]).astype(np.float32)
    features = rng.normal(100, 1, (400, dim)).astype(np.float32)
    exact = ((features[:, None].astype(np.float64) - centroids) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(assign(features, centroids), exact)


@given(st.integers(0, 99), st.integers(1, 60))
def test_the_unit_of_a_frame_does_not_depend_on_the_frames_beside_it(seed, frames):
    rng = np.random.default_rng(seed)
    centroids = rng.normal(10, 1e-4, (50, 26)).astype(np.float32)  # near ties everywhere
    features = rng.normal(10, 1e-4, (60, 26)).astype(np.float32)
    np.testing.assert_array_equal(assign(features, centroids)[:frames], assign(features[:frames], centroids))


def test_blocks_bound_the_memory_for_many_centroids():
    rng = np.random.default_rng(3)
    features, centroids = rng.normal(size=(2000, 4)), rng.normal(size=(20_000, 4))
    tracemalloc.start()
    units = assign(features, centroids)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6 < 2000 * 20_000 * 4
    np.testing.assert_array_equal(units[:200], cdist(features[:200], centroids).argmin(1))


def test_no_frames_have_no_units():
    units = assign(np.zeros((0, 3)), np.ones((2, 3)))
    assert units.shape == (0,) and units.dtype == np.uint16


@pytest.mark.parametrize(("k", "dim"), [(1, 26), (500, 64), (5000, 64)])
def test_devices_give_the_units_of_the_host_ties_too(k, dim, monkeypatch):
    rng = np.random.default_rng(4)
    monkeypatch.setattr(device, "FRAMES", 100)  # blocks on each of eight devices, the last one not full
    centroids = rng.normal(3, 1, (k, dim)).astype(np.float32)
    centroids[k // 2 :] = centroids[: k - k // 2][::-1]  # every other one is there twice
    centroids[-k // 5 :] = np.nextafter(centroids[: len(centroids[-k // 5 :])], np.float32(9))
    features = rng.normal(3, 1, (1900, dim)).astype(np.float32)
    features[:300] = centroids[rng.integers(0, k, 300)]
    units = assign_on_device(features, centroids)
    exact = cdist(features.astype(np.float64), centroids.astype(np.float64)).argmin(1)
    assert units.dtype == np.uint16
    np.testing.assert_array_equal(units, assign(features, centroids))
    np.testing.assert_array_equal(units[300:], exact[300:])


def test_the_device_leaves_to_the_host_what_it_cannot_tell_and_nothing_else(monkeypatch):
    left = []
    monkeypatch.setattr(device, "assign", lambda features, _: left.append(len(features)) or [])
    rng = np.random.default_rng(5)
    centroids, features = rng.normal(size=(50, 32)), rng.normal(size=(1000, 32))
    assign_on_device(features, centroids)
    assert left.pop() == 0
    monkeypatch.setattr(
        device, "assign", lambda features, _: left.append(len(features)) or [0] * len(features)
    )
    assign_on_device(features, np.concatenate([centroids, centroids]))
    assert left == [1000]


def test_no_frames_have_no_units_on_devices_either():
    units = assign_on_device(np.zeros((0, 3)), np.ones((2, 3)))
    assert units.shape == (0,) and units.dtype == np.uint16
