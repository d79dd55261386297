"""k-means against scikit-learn and against data whose clusters are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans

from slm_jax.errors import InputError
from slm_jax.tokenizer.kmeans import blocks, choose_algorithm, choose_init, fit_kmeans
from slm_jax.tokenizer.kmeans.blocks import Frames
from slm_jax.tokenizer.kmeans.lloyd import full_pass, lloyd
from slm_jax.tokenizer.kmeans.minibatch import minibatch
from slm_jax.tokenizer.kmeans.seeding import parallel, plus_plus


def clustered(frames: int, dim: int, clusters: int, seed: int = 0, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = 2 * rng.normal(size=(clusters, dim))
    return (centers[rng.integers(0, clusters, frames)] + spread * rng.normal(size=(frames, dim))).astype(
        np.float32
    )


def inertia_of(features: np.ndarray, centroids: np.ndarray) -> float:
    return (cdist(features, centroids, "sqeuclidean").min(1)).sum()


@pytest.mark.parametrize("init", ["k-means++", "k-means||"])
@pytest.mark.parametrize(
    "features",
    [
        clustered(4000, 8, 40),
        clustered(3000, 40, 25, spread=0.3),
        np.random.default_rng(5).uniform(size=(5000, 2)).astype(np.float32),
        clustered(2000, 13, 10, spread=4.0) * np.logspace(0, 2, 13, dtype=np.float32) + 50,
    ],
    ids=["clusters", "clear clusters", "no clusters", "unequal scales, off center"],
)
def test_full_batch_inertia_is_scikit_learns(features, init):
    reference = min(KMeans(60, n_init=1, random_state=s).fit(features).inertia_ for s in range(3))
    found = []
    for seed in range(3):
        centroids, inertia = fit_kmeans(features, 60, seed=seed, algorithm="full", init=init)
        assert centroids.dtype == np.float32
        assert inertia == pytest.approx(inertia_of(features, centroids), rel=1e-3)
        found.append(inertia)
    assert min(found) < 1.015 * reference


def test_mini_batch_inertia_is_scikit_learns():
    features = clustered(12_000, 8, 40)
    reference = MiniBatchKMeans(60, n_init=1, random_state=0, batch_size=4096).fit(features).inertia_
    centroids, inertia = fit_kmeans(features, 60, seed=0, algorithm="minibatch")
    assert inertia < 1.015 * reference
    assert inertia == pytest.approx(inertia_of(features, centroids), rel=1e-3)


@pytest.mark.parametrize("algorithm", ["full", "minibatch"])
@pytest.mark.parametrize("init", ["k-means++", "k-means||"])
def test_the_seed_decides(algorithm, init, tmp_path):
    features = clustered(3000, 8, 40)
    np.save(tmp_path / "features.npy", features)
    options = {"algorithm": algorithm, "init": init}
    first, _ = fit_kmeans(features, 30, seed=1, **options)
    mapped, _ = fit_kmeans(np.load(tmp_path / "features.npy", mmap_mode="r"), 30, seed=1, **options)
    other, _ = fit_kmeans(features, 30, seed=2, **options)
    np.testing.assert_array_equal(first, mapped)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("algorithm", ["full", "minibatch"])
@pytest.mark.parametrize("init", ["k-means++", "k-means||"])
def test_separate_clusters_are_found_across_blocks(monkeypatch, algorithm, init):
    monkeypatch.setattr(blocks, "BLOCK", 512)  # a device: so these frames take several blocks
    rng = np.random.default_rng(1)
    centers = 100.0 * np.eye(7, dtype=np.float32)
    features = np.repeat(centers, 1501, axis=0) + rng.normal(0, 0.1, (7 * 1501, 7)).astype(np.float32)
    centroids, inertia = fit_kmeans(rng.permutation(features), 7, seed=3, algorithm=algorithm, init=init)
    means = features.reshape(7, 1501, 7).mean(1)
    matches = cdist(means, centroids).argmin(1)
    assert sorted(matches) == list(range(7))
    np.testing.assert_allclose(centroids[matches], means, atol=1e-3 if algorithm == "full" else 0.05)
    assert inertia == pytest.approx(len(features) * 7 * 0.01, rel=0.05)


def test_blocks_read_again_from_disk_change_nothing(monkeypatch):
    features = clustered(9000, 5, 9)
    kept, _ = fit_kmeans(features, 12, seed=0)
    monkeypatch.setattr(blocks, "RESIDENT", 0)
    read_again, _ = fit_kmeans(features, 12, seed=0)
    np.testing.assert_array_equal(kept, read_again)


@given(st.sampled_from([40, 300]), st.sampled_from([1, 5]), st.sampled_from([1, 40]), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_a_pass_is_what_brute_force_gives(frames, dim, k, seed):
    rng = np.random.default_rng(seed)
    features = rng.integers(-3, 4, (frames, dim)).astype(np.float32)  # small integers: exact, with many ties
    centroids = rng.integers(-3, 4, (k, dim)).astype(np.float32)
    means, counts, squared = full_pass(Frames(features), centroids)
    distances = cdist(features, centroids, "sqeuclidean")
    units = distances.argmin(1)
    np.testing.assert_array_equal(squared, distances.min(1))
    np.testing.assert_array_equal(counts, np.bincount(units, minlength=k))
    for unit in np.unique(units):
        np.testing.assert_allclose(means[unit], features[units == unit].mean(0), atol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_inertia_never_rises_even_where_centroids_lose_all_frames(seed):
    rng = np.random.default_rng(seed)
    features = clustered(400, 3, 6, seed)
    centroids = (rng.normal(size=(10, 3)) * rng.choice([1, 100], (10, 1))).astype(np.float32)
    inertia = [lloyd(Frames(features), centroids, iterations)[1] for iterations in range(6)]
    assert all(after <= before * (1 + 1e-5) for before, after in itertools.pairwise(inertia))


@given(st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_the_order_of_equal_frames_is_no_matter(seed):
    rng = np.random.default_rng(seed)
    features = clustered(100, 3, 5, seed).repeat(4, axis=0)
    centroids, inertia = lloyd(Frames(features), features[::40], 5)
    swapped = features.reshape(100, 4, 3)[:, rng.permutation(4)].reshape(400, 3)
    np.testing.assert_array_equal(lloyd(Frames(swapped), features[::40], 5)[0], centroids)
    permuted = lloyd(Frames(rng.permutation(features)), features[::40], 5)
    assert permuted[1] == pytest.approx(inertia, rel=1e-3)


def test_a_centroid_without_frames_is_moved_to_where_it_is_needed():
    rng = np.random.default_rng(2)
    features = np.concatenate([rng.normal(0, 0.1, (500, 2)), rng.normal(9, 0.1, (500, 2))]).astype(np.float32)
    far_away = np.array([[0, 0], [1000, 1000]], np.float32)
    centroids, inertia = lloyd(Frames(features), far_away, iterations=20)
    np.testing.assert_allclose(np.sort(centroids, axis=0), [[0, 0], [9, 9]], atol=0.05)
    assert inertia < 1000 * 2 * 0.02
    centroids = minibatch(Frames(features), far_away, iterations=20, seed=0)
    np.testing.assert_allclose(np.sort(centroids, axis=0), [[0, 0], [9, 9]], atol=0.6)


def test_seeds_are_frames_and_reach_every_cluster():
    rng = np.random.default_rng(4)
    centers = 1000.0 * rng.normal(size=(50, 6))
    sizes = np.repeat(np.arange(50), rng.integers(2, 200, 50))  # some clusters are a hundred times smaller
    features = (centers[sizes] + rng.normal(size=(len(sizes), 6))).astype(np.float32)
    for seeds in (
        plus_plus(features, np.ones(len(features), np.float32), 50, seed=0),
        parallel(Frames(features), 50, seed=0),
    ):
        assert (cdist(seeds, features).min(1) == 0).all()
        assert len(np.unique(cdist(seeds, centers).argmin(1))) == 50


def test_a_weight_counts_as_that_many_frames():
    features = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    weights = np.array([0, 1, 1, 1], np.float32)
    for seed in range(10):
        seeds = plus_plus(features, weights, 3, seed)
        assert sorted(map(tuple, seeds)) == [(0, 10), (10, 0), (10, 10)]


def test_algorithms_are_chosen_by_the_work_of_a_pass_or_as_asked():
    assert choose_algorithm(90_000, 500, 768) == "full"
    assert choose_algorithm(10_000_000, 2000, 768) == "minibatch"
    assert choose_algorithm(10_000_000, 2000, 768, "full") == "full"
    assert choose_init(10_000, 100, 26) == "k-means++"
    assert choose_init(90_000, 500, 768) == "k-means||"
    assert choose_init(90_000, 500, 768, "k-means++") == "k-means++"


def test_twenty_thousand_centroids():
    features = clustered(1000, 4, 50, seed=7)
    centroids = clustered(20_000, 4, 50, seed=8)
    _, counts, squared = full_pass(Frames(features), centroids)
    distances = cdist(features, centroids, "sqeuclidean")
    np.testing.assert_allclose(squared, distances.min(1), atol=1e-4)
    assert counts.sum() == 1000 and (counts > 0)[np.unique(distances.argmin(1))].mean() > 0.99


@pytest.mark.parametrize("algorithm", ["full", "minibatch"])
@pytest.mark.parametrize("init", ["k-means++", "k-means||"])
def test_as_many_centroids_as_different_frames(algorithm, init):
    features = np.repeat(np.eye(5, dtype=np.float32), 100, axis=0)
    centroids, inertia = fit_kmeans(features, 5, seed=0, algorithm=algorithm, init=init)
    if algorithm == "full":
        np.testing.assert_allclose(np.sort(centroids, axis=0), np.sort(np.eye(5), axis=0), atol=1e-6)
        assert inertia == pytest.approx(0, abs=1e-4)


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(InputError, match="k = 5"):
        fit_kmeans(np.repeat(np.eye(4, dtype=np.float32), 10, axis=0), 5, seed=0)
    with pytest.raises(InputError, match="NaN"):
        fit_kmeans(np.array([[0.0, 1.0], [np.nan, 1.0], [1.0, 1.0]], np.float32), 2, seed=0)
    features = clustered(20, 2, 3)
    with pytest.raises(InputError, match=r"algorithm 'elkan'.*minibatch"):
        fit_kmeans(features, 2, seed=0, algorithm="elkan")
    with pytest.raises(InputError, match=r"init 'random'.*k-means\+\+"):
        fit_kmeans(features, 2, seed=0, init="random")
