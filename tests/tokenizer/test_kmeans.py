"""k-means against scikit-learn and against data whose clusters are known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from slm_jax.errors import InputError
from slm_jax.tokenizer.kmeans import _blocks, _lloyd, fit_kmeans


def test_inertia_is_scikit_learns_within_a_few_percent():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(40, 8)) * 2
    features = (centers[rng.integers(0, 40, 3000)] + rng.normal(size=(3000, 8))).astype(np.float32)
    reference = KMeans(60, n_init=3, random_state=0).fit(features).inertia_
    centroids, inertia = fit_kmeans(features, 60, seed=0)
    assert inertia == pytest.approx(reference, rel=0.03)
    assert inertia == pytest.approx((cdist(features, centroids).min(1) ** 2).sum(), rel=1e-3)
    again, _ = fit_kmeans(features, 60, seed=0)
    np.testing.assert_array_equal(centroids, again)


def test_separate_clusters_are_found_exactly_across_blocks():
    rng = np.random.default_rng(1)
    centers = 100.0 * np.eye(7, dtype=np.float32)
    features = np.repeat(centers, 3001, axis=0) + rng.normal(0, 0.1, (7 * 3001, 7)).astype(np.float32)
    centroids, _ = fit_kmeans(rng.permutation(features), 7, seed=3)
    means = features.reshape(7, 3001, 7).mean(1)
    matches = cdist(means, centroids).argmin(1)
    assert sorted(matches) == list(range(7))
    np.testing.assert_allclose(centroids[matches], means, atol=1e-3)


def test_a_centroid_without_frames_is_moved_to_where_it_is_needed():
    rng = np.random.default_rng(2)
    features = np.concatenate([rng.normal(0, 0.1, (500, 2)), rng.normal(9, 0.1, (500, 2))]).astype(np.float32)
    far_away = np.array([[0, 0], [1000, 1000]], np.float32)
    centroids, inertia = _lloyd(far_away, *_blocks(features), iterations=20)
    np.testing.assert_allclose(np.sort(np.asarray(centroids), axis=0), [[0, 0], [9, 9]], atol=0.05)
    assert inertia < 1000 * 2 * 0.02


def test_too_few_different_frames_are_refused():
    with pytest.raises(InputError, match="k = 5"):
        fit_kmeans(np.repeat(np.eye(4, dtype=np.float32), 10, axis=0), 5, seed=0)
