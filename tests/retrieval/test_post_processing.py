"""Query expansion, diffusion and learned whitening against slow references and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.diffusion import DAMPING, diffuse, make_graph
from hloc_lite.retrieval.query_expansion import Expansion, augment_database, expand_queries
from hloc_lite.retrieval.whitening import learn_discriminative_whitening, learn_whitening


def rows(seed: int, count: int, dim: int = 6) -> np.ndarray:
    return l2_normalized(np.random.default_rng(seed).normal(size=(count, dim)))


def slow_expansion(query, database, count, kind, alpha, exclude=None):
    order = sorted(range(len(database)), key=lambda row: -float(query @ database[row]))
    order = [row for row in order if row != exclude][:count]
    total = query.astype(np.float64)
    for rank, row in enumerate(order):
        similarity = float(query @ database[row])
        weight = {
            Expansion.AVERAGE: 1.0,
            Expansion.DECAY: (len(order) - rank) / len(order),
            Expansion.ALPHA: max(similarity, 0.0) ** alpha,
        }[kind]
        total = total + weight * database[row].astype(np.float64)
    return total / np.linalg.norm(total)


@given(st.integers(0, 99), st.integers(1, 8), st.sampled_from(Expansion))
def test_expansion_against_loops(seed, count, kind):
    queries, database = rows(seed, 3), rows(seed + 1000, 8)
    found = expand_queries(queries, database, count, kind, 2.0)
    expected = [slow_expansion(query, database, count, kind, 2.0) for query in queries]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 99), st.integers(1, 6), st.sampled_from(Expansion))
def test_augmentation_leaves_the_image_itself_out(seed, count, kind):
    database = rows(seed, 8)
    found = augment_database(database, count, kind)
    expected = [
        slow_expansion(row, database, count, kind, 3.0, exclude=number)
        for number, row in enumerate(database)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_equal_images_are_augmented_like_each_other():
    database = np.repeat(rows(0, 3), 3, axis=0)
    found = augment_database(database, 2)
    np.testing.assert_allclose(found, database, atol=1e-6)


def test_other_dimensions_are_refused():
    with pytest.raises(ShapeError, match="same dimension"):
        expand_queries(rows(0, 2, 5), rows(0, 2, 6), 1)


def slow_diffusion(database, query, num_neighbours, num_seeds):
    similarities = np.maximum(database.astype(np.float64) @ database.T, 0)
    np.fill_diagonal(similarities, -1)
    near = [set(np.argsort(-row, kind="stable")[:num_neighbours]) for row in similarities]
    count = len(database)
    affinity = np.zeros((count, count))
    for i in range(count):
        for j in near[i]:
            if i in near[j]:
                affinity[i, j] = similarities[i, j] ** 3
    degrees = affinity.sum(axis=1)
    scale = np.array([1 / np.sqrt(d) if d > 0 else 0.0 for d in degrees])
    system = np.eye(count) - DAMPING * scale[:, None] * affinity * scale
    cosines = database.astype(np.float64) @ query
    entry = np.zeros(count)
    for row in np.argsort(-cosines, kind="stable")[:num_seeds]:
        entry[row] = max(cosines[row], 0) ** 3
    return np.linalg.solve(system, entry)


@given(st.integers(0, 99))
def test_diffusion_solves_the_system(seed):
    database, query = rows(seed, 12, 3), rows(seed + 1000, 1, 3)
    found = diffuse(make_graph(database, 4), query, 3)[0]
    expected = slow_diffusion(database, query[0], 4, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_diffusion_follows_a_chain_that_cosines_do_not():
    angles = np.radians(np.arange(0, 100, 10))
    chain = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    aside = l2_normalized(np.array([[1.0, 0, 1.6]]))  # more similar to the query than the end
    database = np.concatenate([chain, aside]).astype(np.float32)
    query = database[:1]
    scores = diffuse(make_graph(database, 2), query, 1)[0]
    assert query[0] @ database[10] > query[0] @ database[9]
    assert scores[9] > scores[10]


def test_learned_whitening_suppresses_what_differs_within_a_place():
    rng = np.random.default_rng(0)
    places = rng.normal(size=(40, 4)).repeat(2, axis=0)
    light = 5 * rng.normal(size=(80, 2))  # larger than what tells places apart
    descriptors = l2_normalized(np.concatenate([places, light], axis=1))
    pairs = np.arange(80).reshape(40, 2)

    def recall(vectors) -> float:
        similarities = vectors @ vectors.T
        np.fill_diagonal(similarities, -2)
        return float(np.mean(similarities.argmax(axis=1) == np.arange(80) ^ 1))

    learned = learn_discriminative_whitening(descriptors, pairs, 4)
    assert recall(learned.apply(descriptors)) > 0.8
    assert recall(descriptors) < 0.5
    assert recall(learn_whitening(descriptors, 4).apply(descriptors)) < 0.7


def test_learned_whitening_makes_differences_white():
    descriptors = rows(3, 60)
    pairs = np.arange(60).reshape(30, 2)
    whitening = learn_discriminative_whitening(descriptors, pairs, 6)
    differences = (descriptors[pairs[:, 0]] - descriptors[pairs[:, 1]]) @ whitening.projection.T
    np.testing.assert_allclose(differences.T @ differences / 30, np.eye(6), atol=1e-3)


def test_learned_whitening_needs_pairs():
    with pytest.raises(ShapeError, match="pairs that match"):
        learn_discriminative_whitening(rows(0, 4), np.zeros((1, 2), np.int64), 2)
