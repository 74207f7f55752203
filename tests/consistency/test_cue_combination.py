"""Combination of cues into weights: products of powers, invariances and limits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hloc_lite.config import WeightingConfig
from hloc_lite.consistency.cue_combination import (
    CUE_NAMES,
    MAX_PROBABILITY,
    combine_cues,
    cue_exponents,
    retrieval_cue,
    score_cue,
    track_cue,
)
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.types import Cue, PutativeMatches

CONFIG = WeightingConfig(off=())


def matches(keypoints: npt.ArrayLike, points: npt.ArrayLike) -> PutativeMatches:
    """Matches whose points lie at (3 p, 3 p + 1, 3 p + 2)."""
    count = len(np.asarray(keypoints))
    xyz = 3.0 * np.reshape(points, (-1, 1)) + [0, 1, 2]
    return PutativeMatches(keypoints, points, np.zeros(count), np.ones(count), xyz)


def distinct(count: int) -> PutativeMatches:
    return matches(list(range(count)), list(range(count)))


def cue(name: str, *factors: float) -> Cue:
    return Cue(name, np.array(factors), np.array(factors) < 1)


def test_weights_are_products_of_powers() -> None:
    config = WeightingConfig(depth=2.0, semantics=0.5)
    cues = [cue("depth", 1, 0.5, 0.8), cue("semantics", 0.25, 1, 0.64)]
    found = combine_cues(distinct(3), cues, config)
    expected = np.array([0.5, 0.25, 0.512])
    np.testing.assert_allclose(found.match_weights, expected)
    np.testing.assert_allclose(found.weights, expected / expected.mean())


def test_pairs_take_the_weight_of_their_best_match() -> None:
    rows = matches([4, 1, 4, 4, 1], [7, 9, 7, 8, 9])
    found = combine_cues(rows, [cue("score", 0.2, 0.4, 0.8, 0.6, 0.1)], CONFIG)
    assert found.keypoint_idxs.tolist() == [1, 4, 4]
    assert found.point3D_idxs.tolist() == [9, 7, 8]
    assert found.best_rows.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.weights / found.weights[1], [0.5, 1, 0.75])
    assert found.weights.mean() == pytest.approx(1)


def test_pairs_take_the_cues_of_their_best_match() -> None:
    rows = matches([4, 1, 4, 4, 1], [7, 9, 7, 8, 9])
    cues = [cue("score", 0.2, 0.4, 0.8, 0.6, 0.1), cue("depth", 1, 1, 0.5, 1, 1)]
    config = WeightingConfig(off=("track",), semantics=0, depth=1)
    found = combine_cues(rows, cues, config)
    assert [each.name for each in found.cues] == ["depth", "score"]
    depth, score = found.cues
    assert score.factors.tolist() == [0.4, 0.8, 0.6]
    assert depth.factors.tolist() == [1, 0.5, 1]
    assert depth.touched.tolist() == [False, True, False]
    product = score.factors * depth.factors
    np.testing.assert_allclose(found.weights, product / product.mean())


def test_unused_cues_are_dropped() -> None:
    found = combine_cues(distinct(1), [cue("score", 0.2)], WeightingConfig(off=("score",)))
    assert found.cues == ()


def test_correspondences_are_looked_up() -> None:
    keypoints = np.arange(12, dtype=np.float32).reshape(6, 2)
    found = combine_cues(matches([4, 1], [7, 9]), [cue("score", 0.5, 1)], CONFIG)
    made = found.correspondences(keypoints, np.array([0.5, 2.0]))
    assert made.points2D.tolist() == [[2, 3], [8, 9]]
    assert made.points3D.tolist() == [[27, 28, 29], [21, 22, 23]]
    np.testing.assert_array_equal(made.weights, found.weights)
    assert made.bound_factors.tolist() == [2.0, 0.5]


def test_without_cues_all_weights_are_one() -> None:
    found = combine_cues(distinct(4), [], CONFIG)
    assert found.weights.tolist() == [1, 1, 1, 1] and found.counts == {}


def test_no_matches() -> None:
    found = combine_cues(distinct(0), [cue("depth")], CONFIG)
    assert len(found.weights) == len(found.match_weights) == len(found.keypoint_idxs) == 0
    assert len(found.correspondences(np.zeros((0, 2)))) == 0


def test_counts_of_each_cue() -> None:
    depth = Cue("depth", np.array([1, 0.5, 1, 1.0]), np.array([True, True, True, False]))
    counts = combine_cues(
        distinct(4), [depth, cue("track", 0.5, 0.5, 0.5, 1)], WeightingConfig(off=("track",))
    ).counts
    assert (counts["depth"].touched, counts["depth"].lowered, counts["depth"].used) == (3, 1, True)
    assert (counts["track"].touched, counts["track"].lowered, counts["track"].used) == (3, 3, False)


@pytest.mark.parametrize(
    "config", [WeightingConfig(off=("depth",)), WeightingConfig(off=(), depth=0)]
)
def test_cues_switched_off_have_no_effect(config: WeightingConfig) -> None:
    score = cue("score", 0.3, 0.9, 0.5)
    with_it = combine_cues(distinct(3), [score, cue("depth", 0, 0.1, 1)], config)
    np.testing.assert_array_equal(
        with_it.weights, combine_cues(distinct(3), [score], CONFIG).weights
    )


def test_weights_have_a_lower_limit() -> None:
    found = combine_cues(distinct(3), [cue("depth", 0, 1, 0.001)], WeightingConfig(min_weight=0.02))
    np.testing.assert_allclose(found.match_weights / found.match_weights.max(), [0.02, 1, 0.02])


def test_all_factors_zero_give_equal_weights() -> None:
    found = combine_cues(distinct(3), [cue("depth", 0, 0, 0)], CONFIG)
    assert found.weights.tolist() == [1, 1, 1]


def test_products_do_not_underflow() -> None:
    config = WeightingConfig(depth=20, semantics=20, min_weight=0.01)
    cues = [cue(name, 1e-10, 2e-10, 1e-10) for name in ("depth", "semantics")]
    found = combine_cues(distinct(3), cues, config)  # products of 1e-400 are 0 in floating point
    np.testing.assert_allclose(found.match_weights / found.match_weights.max(), [0.01, 1, 0.01])


def test_nan_factors_are_neutral() -> None:
    found = combine_cues(distinct(2), [cue("depth", np.nan, 1)], CONFIG)
    assert found.weights.tolist() == [1, 1]


def test_invalid_cues_are_errors() -> None:
    with pytest.raises(ShapeError, match="'depth' has 2 factors for 3 matches"):
        combine_cues(distinct(3), [cue("depth", 1, 1)], CONFIG)
    with pytest.raises(ConfigError, match="unknown cue 'colour'"):
        combine_cues(distinct(1), [cue("colour", 1)], CONFIG)
    with pytest.raises(ConfigError, match="different names"):
        combine_cues(distinct(1), [cue("depth", 1), cue("depth", 1)], CONFIG)


def test_every_cue_has_an_exponent() -> None:
    assert set(cue_exponents(CONFIG)) == set(CUE_NAMES)
    assert cue_exponents(WeightingConfig(off=("score",), track=0.3))["score"] == 0
    assert cue_exponents(WeightingConfig(off=("score",), track=0.3))["track"] == 0.3


@st.composite
def problems(draw: st.DrawFn) -> tuple[PutativeMatches, list[Cue]]:
    count = draw(st.integers(1, 25))
    idxs = hnp.arrays(np.int64, count, elements=st.integers(0, 4))
    factors = hnp.arrays(np.float64, count, elements=st.floats(0, 1, allow_subnormal=False))
    names = draw(st.lists(st.sampled_from(CUE_NAMES), unique=True))
    rows = matches(draw(idxs), draw(idxs))
    return rows, [Cue(name, draw(factors), np.ones(count, bool)) for name in names]


@settings(max_examples=60)
@given(problems(), st.randoms(use_true_random=False))
def test_invariances(problem: tuple[PutativeMatches, list[Cue]], random: object) -> None:
    rows, cues = problem
    found = combine_cues(rows, cues, CONFIG)
    assert (found.weights > 0).all() and np.isfinite(found.weights).all()
    assert found.weights.mean() == pytest.approx(1)
    ratio = found.weights.max() / found.weights.min()
    assert ratio <= 1 / CONFIG.min_weight * (1 + 1e-9)
    # the order of cues
    shuffled = list(cues)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(combine_cues(rows, shuffled, CONFIG).weights, found.weights)
    # the order of rows
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = matches(rows.keypoint_idxs[order], rows.point3D_idxs[order])
    moved_cues = [Cue(c.name, c.factors[order], c.touched[order]) for c in cues]
    again = combine_cues(moved, moved_cues, CONFIG)
    np.testing.assert_allclose(again.weights, found.weights, rtol=1e-12)
    np.testing.assert_array_equal(again.keypoint_idxs, found.keypoint_idxs)
    np.testing.assert_array_equal(again.point3D_idxs, found.point3D_idxs)
    # a neutral cue, and the same match twice
    free = [name for name in CUE_NAMES if name not in {c.name for c in cues}]
    neutral = [Cue(n, np.ones(len(rows)), np.zeros(len(rows), bool)) for n in free[:1]]
    np.testing.assert_array_equal(combine_cues(rows, cues + neutral, CONFIG).weights, found.weights)
    twice = matches(np.tile(rows.keypoint_idxs, 2), np.tile(rows.point3D_idxs, 2))
    twice_cues = [Cue(c.name, np.tile(c.factors, 2), np.tile(c.touched, 2)) for c in cues]
    np.testing.assert_allclose(combine_cues(twice, twice_cues, CONFIG).weights, found.weights)


def test_scores_become_odds_of_limited_probabilities() -> None:
    found = score_cue(np.array([0.2, 1.0, 1.5, -0.1, np.nan], np.float32))
    largest = MAX_PROBABILITY / (1 - MAX_PROBABILITY)
    np.testing.assert_allclose(found.factors, [0.25 / largest, 1, 1, largest**-2, 1], rtol=1e-6)
    assert found.touched.tolist() == [True, True, True, True, False]


def test_similarities_are_relative_to_the_best() -> None:
    found = retrieval_cue(np.array([0.5, 0.8, 0.4, -0.2]), np.array([1, 0, 2, 3, 1]))
    np.testing.assert_allclose(found.factors, [1, 0.625, 0.5, 0, 1])
    assert found.touched.all()


@pytest.mark.parametrize("similarities", [[-0.1, -0.2], [0.0, 0.0], [np.nan, np.nan]])
def test_similarities_without_a_positive_one_are_neutral(similarities: list[float]) -> None:
    found = retrieval_cue(np.array(similarities), np.array([0, 1, 1]))
    assert (found.factors == 1).all() and not found.touched.any()


def test_hit_indices_must_be_in_range() -> None:
    assert len(retrieval_cue(np.zeros(0), np.zeros(0, int)).factors) == 0
    for idxs in ([0, 2], [-1, 0]):
        with pytest.raises(ShapeError, match="2 retrieved images"):
            retrieval_cue(np.ones(2), np.array(idxs))


def test_track_cue_depends_on_length_and_error() -> None:
    found = track_cue(np.array([2, 10, 2, 10]), np.array([0, 0, 2.0, 2.0]), CONFIG)
    np.testing.assert_allclose(found.factors, [0.5, 0.9, 0.25, 0.45])
    assert found.touched.all()


def test_unknown_tracks_and_errors_are_neutral() -> None:
    found = track_cue(np.array([0, 4, 1]), np.array([np.nan, -1, 2.0]), CONFIG)
    np.testing.assert_allclose(found.factors, [1, 0.75, 0.5])
    assert found.touched.tolist() == [False, True, True]
    with pytest.raises(ShapeError):
        track_cue(np.ones(3), np.ones(2), CONFIG)
