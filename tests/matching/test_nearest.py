"""Mutual nearest neighbours against a loop, in blocks, with ties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import MatchingConfig
from hloc_lite.errors import ShapeError
from hloc_lite.matching.nearest import NearestMatcher, match_descriptors, nearest_both_ways
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures
from tests.weights_stores import NoWeights


def unit_rows(rng, count, dim):
    rows = rng.normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def features(descriptors):
    n = len(descriptors)
    return LocalFeatures(np.zeros((n, 2)), descriptors, np.ones(n), (100, 100))


def matcher(**settings):
    return NearestMatcher("mutual-nn", MatchingConfig(**settings), Runtime(NoWeights()))


def by_loop(descriptors0, descriptors1, max_ratio, min_similarity):
    """The definition, one pair at a time, with Euclidean distances in float64."""
    a, b = descriptors0.astype(np.float64), descriptors1.astype(np.float64)
    distances = np.linalg.norm(a[:, None] - b[None], axis=2)

    def distinct(row):
        first, *rest = np.sort(row)
        return not rest or max_ratio == 1 or first < max_ratio * rest[0]

    found = []
    for i, row in enumerate(distances):
        j = int(row.argmin())
        mutual = distances[:, j].argmin() == i
        similar = a[i] @ b[j] >= min_similarity
        if mutual and similar and distinct(row) and distinct(distances[:, j]):
            found.append((i, j))
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 25),
    m=st.integers(1, 25),
    max_ratio=st.sampled_from([0.6, 0.9, 0.99, 1.0]),
    min_similarity=st.sampled_from([-1.0, 0.0, 0.5]),
    block_side=st.sampled_from([2, 7, 4096]),
)
def test_equals_the_definition_for_any_block(seed, n, m, max_ratio, min_similarity, block_side):
    rng = np.random.default_rng(seed)
    a, b = unit_rows(rng, n, 8), unit_rows(rng, m, 8)
    b[: min(n, m) // 2] = a[: min(n, m) // 2]  # some true matches
    indices, ratios = match_descriptors(
        torch.tensor(a), torch.tensor(b), max_ratio, min_similarity, block_side
    )
    assert [tuple(row) for row in indices.tolist()] == by_loop(a, b, max_ratio, min_similarity)
    assert ((ratios >= 0) & (ratios <= 1)).all() and (max_ratio == 1 or (ratios < max_ratio).all())


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200), m=st.integers(1, 200))
def test_column_maxima_take_the_first_of_ties(seed, n, m):
    rng = np.random.default_rng(seed)
    codes = np.eye(4, dtype=np.float32)  # few distinct descriptors: many ties
    a, b = codes[rng.integers(0, 4, n)], codes[rng.integers(0, 4, m)]
    similarity = a @ b.T
    of_rows, of_columns = nearest_both_ways(torch.tensor(a), torch.tensor(b), block_side=70)
    np.testing.assert_array_equal(of_rows.idxs, similarity.argmax(axis=1))
    np.testing.assert_array_equal(of_columns.idxs, similarity.argmax(axis=0))
    expected = np.sort(similarity, axis=0)[-2] if n > 1 else np.full(m, -np.inf)
    np.testing.assert_array_equal(of_columns.second, expected)


def test_equal_best_neighbours_fail_the_ratio_and_pass_without_it():
    one = np.array([[1, 0]], np.float32)
    twins = np.array([[1, 0], [1, 0]], np.float32)
    pair = (features(one), features(twins))
    assert len(matcher(max_ratio=0.9).match([pair])[0]) == 0
    (matches,) = matcher(max_ratio=1).match([pair])
    assert matches.indices.tolist() == [[0, 0]]


def test_scores_are_a_logistic_function_of_the_ratio():
    query = np.array([[1, 0]], np.float32)

    def score(ratio):
        near, far = 0.02, 0.02 / ratio**2  # of 1 - cosine, half the squared distance
        others = np.array([[1 - near, (1 - (1 - near) ** 2) ** 0.5],
                           [1 - far, -((1 - (1 - far) ** 2) ** 0.5)]], np.float32)  # fmt: skip
        (matches,) = matcher(max_ratio=1, ratio_midpoint=0.8, ratio_slope=10).match(
            [(features(query), features(others))]
        )
        assert matches.indices.tolist() == [[0, 0]]
        return float(matches.scores[0])

    for ratio in (0.5, 0.8, 0.95):
        expected = 1 / (1 + np.exp(-10 * (0.8 - ratio)))
        assert score(ratio) == pytest.approx(expected, abs=1e-3)


def test_matches_without_second_neighbour_have_ratio_zero():
    a, b = np.array([[1, 0]], np.float32), np.array([[0.6, 0.8]], np.float32)
    (matches,) = matcher(max_ratio=0.5, ratio_midpoint=0.8, ratio_slope=10).match(
        [(features(a), features(b))]
    )
    assert matches.scores.tolist() == pytest.approx([1 / (1 + np.exp(-8))])


def test_descriptors_of_other_features_are_refused():
    rng = np.random.default_rng(0)
    pair = features(unit_rows(rng, 3, 8)), features(unit_rows(rng, 3, 4))
    with pytest.raises(ShapeError, match="8 and 4"):
        matcher().match([pair])


def test_memory_is_bounded_by_the_block():
    rng = np.random.default_rng(0)
    a, b = torch.tensor(unit_rows(rng, 300, 4)), torch.tensor(unit_rows(rng, 500, 4))
    with torch.profiler.profile(profile_memory=True) as profile:
        nearest_both_ways(a, b, block_side=128)
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert 4 * 128 * 128 <= largest < 4 * 300 * 500 / 4
