"""NetVLAD and GeM on small examples and against their formulas written as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.retrieval.aggregation import gem, l2_normalized, netvlad, soft_assignment
from hloc_lite.retrieval.vocabulary import Vocabulary, initial_alpha, kmeans, learn_vocabulary
from hloc_lite.retrieval.whitening import learn_whitening


def random_setting(seed, n=20, k=4, d=5):
    rng = np.random.default_rng(seed)
    local = l2_normalized(rng.normal(size=(n, d)))
    words = Vocabulary(rng.normal(size=(k, d)), alpha=float(rng.uniform(0.1, 3)))
    return local, words


def aggregate(local, words):
    return netvlad(local, words.weights, words.biases, words.centers)


@given(seed=st.integers(0, 2**32 - 1))
def test_assignment_is_a_softmax_of_squared_distances(seed):
    local, words = random_setting(seed)
    squared = np.square(local[:, None] - words.centers).sum(axis=2, dtype=np.float64)
    expected = np.exp(-words.alpha * squared)
    expected /= expected.sum(axis=1, keepdims=True)
    assigned = soft_assignment(local, words.weights, words.biases)
    np.testing.assert_allclose(assigned, expected, atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1))
def test_netvlad_equals_its_formula(seed):
    local, words = random_setting(seed)
    assigned = soft_assignment(local, words.weights, words.biases).astype(np.float64)
    expected = np.zeros(words.centers.shape)
    for i, x in enumerate(local):
        for k, center in enumerate(words.centers):
            expected[k] += assigned[i, k] * (x - center)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(aggregate(local, words), expected, atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1))
def test_netvlad_ignores_the_order_of_vectors_and_follows_that_of_words(seed):
    local, words = random_setting(seed)
    rng = np.random.default_rng(seed)
    shuffled = aggregate(local[rng.permutation(len(local))], words)
    np.testing.assert_allclose(shuffled, aggregate(local, words), atol=1e-5)
    order = rng.permutation(len(words.centers))
    renamed = aggregate(local, Vocabulary(words.centers[order], words.alpha))
    np.testing.assert_allclose(renamed, aggregate(local, words)[order], atol=1e-5)


def test_every_word_has_equal_weight():
    """Intra-normalization: many vectors of one word do not dominate another."""
    words = Vocabulary([[1, 0], [0, 1]], alpha=1000)
    local = l2_normalized([[1, 0.1]] * 50 + [[0.1, 1]])
    norms = np.linalg.norm(aggregate(local, words), axis=1)
    np.testing.assert_allclose(norms, np.sqrt(0.5), atol=1e-5)


def test_vectors_on_their_words_give_zeros_not_nan():
    words = Vocabulary([[1, 0], [0, 1]], alpha=1000)
    assert np.array_equal(aggregate(np.eye(2, dtype=np.float32), words), np.zeros((2, 2)))


def test_gem_lies_between_average_and_maximum():
    local = np.array([[1, 0, -5], [3, 0, -7]], np.float32)
    np.testing.assert_allclose(gem(local, power=1), [2, 1e-6, 1e-6])
    np.testing.assert_allclose(gem(local, power=3), [14 ** (1 / 3), 1e-6, 1e-6], rtol=1e-6)
    np.testing.assert_allclose(gem(local[:, :1], power=60), [3], rtol=0.02)


def test_kmeans_finds_separate_clusters_and_is_deterministic():
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    points = (corners[:, None] + rng.normal(size=(3, 100, 2), scale=0.1)).reshape(-1, 2)
    points = points.astype(np.float32)
    centers = kmeans(points, 3, seed=4)
    np.testing.assert_allclose(sorted(centers.tolist()), sorted(corners.tolist()), atol=0.1)
    assert np.array_equal(centers, kmeans(points, 3, seed=4))


def test_fewer_vectors_than_words():
    vocabulary = learn_vocabulary(np.eye(3, dtype=np.float32), num_words=32, seed=0)
    assert vocabulary.centers.shape == (3, 3)
    assert np.isfinite(aggregate(np.eye(3, dtype=np.float32), vocabulary)).all()


def test_alpha_gives_the_second_word_a_hundredth_of_the_weight():
    centers = np.array([[0, 0], [1, 0]], np.float32)
    local = np.array([[0.2, 0]], np.float32)
    vocabulary = Vocabulary(centers, initial_alpha(local, centers))
    first, second = soft_assignment(local, vocabulary.weights, vocabulary.biases)[0]
    assert second / first == pytest.approx(0.01, rel=1e-3)


def test_identical_vectors_give_a_finite_alpha():
    vocabulary = learn_vocabulary(np.ones((10, 4), np.float32) / 2, num_words=3, seed=0)
    assert 0 < vocabulary.alpha < np.inf
    assert np.isfinite(vocabulary.centers).all()


def test_whitening_gives_unit_covariance():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    data = (rng.normal(size=(5000, 6)) @ mixing + 3).astype(np.float32)
    whitening = learn_whitening(data, output_dim=4)
    white = (data - whitening.mean) @ whitening.projection.T
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(whitening.apply(data[:9]), axis=1), 1, atol=1e-5)


def test_whitening_drops_directions_without_variance():
    rng = np.random.default_rng(0)
    flat = np.zeros((50, 6), np.float32)
    flat[:, :2] = rng.normal(size=(50, 2))
    assert learn_whitening(flat, output_dim=6).projection.shape == (2, 6)
    few = rng.normal(size=(4, 6)).astype(np.float32)
    assert len(learn_whitening(few, output_dim=6).projection) == 3
