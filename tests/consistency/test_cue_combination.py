"""Cues become one weight: a product of powers, its invariances, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hloc_lite.config import WeightingConfig
from hloc_lite.consistency.cue_combination import (
    CUE_NAMES,
    SUREST,
    combine_cues,
    cue_exponents,
    retrieval_cue,
    score_cue,
    track_cue,
)
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.types import Cue, PutativeMatches

CONFIG = WeightingConfig(off=())


def sightings(keypoints: list[int], points: list[int]) -> PutativeMatches:
    count = len(keypoints)
    return PutativeMatches(keypoints, points, np.zeros(count), np.ones(count))


def distinct(count: int) -> PutativeMatches:
    return sightings(list(range(count)), list(range(count)))


def cue(name: str, *factors: float) -> Cue:
    return Cue(name, np.array(factors), np.array(factors) < 1)


def test_weights_are_products_of_powers() -> None:
    config = WeightingConfig(depth=2.0, semantics=0.5)
    cues = [cue("depth", 1, 0.5, 0.8), cue("semantics", 0.25, 1, 0.64)]
    found = combine_cues(distinct(3), cues, config)
    expected = np.array([0.5, 0.25, 0.512])
    np.testing.assert_allclose(found.match_weights, expected)
    np.testing.assert_allclose(found.weights, expected / expected.mean())


def test_a_pair_takes_its_best_match() -> None:
    rows = sightings([4, 1, 4, 4, 1], [7, 9, 7, 8, 9])
    found = combine_cues(rows, [cue("score", 0.2, 0.4, 0.8, 0.6, 0.1)], CONFIG)
    assert found.keypoint_idxs.tolist() == [1, 4, 4]
    assert found.point3D_idxs.tolist() == [9, 7, 8]
    assert found.pair_idxs.tolist() == [1, 0, 1, 2, 0]
    np.testing.assert_allclose(found.weights / found.weights[1], [0.5, 1, 0.75])
    assert found.weights.mean() == pytest.approx(1)


def test_a_pair_has_what_cues_said_of_its_best_match() -> None:
    rows = sightings([4, 1, 4, 4, 1], [7, 9, 7, 8, 9])
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


def test_cues_not_in_use_are_not_kept() -> None:
    found = combine_cues(distinct(1), [cue("score", 0.2)], WeightingConfig(off=("score",)))
    assert found.cues == ()


def test_correspondences_are_looked_up() -> None:
    keypoints = np.arange(12, dtype=np.float32).reshape(6, 2)
    xyz = np.arange(30.0).reshape(10, 3)
    found = combine_cues(sightings([4, 1], [7, 9]), [cue("score", 0.5, 1)], CONFIG)
    made = found.correspondences(keypoints, xyz)
    assert made.points2D.tolist() == [[2, 3], [8, 9]]
    assert made.points3D.tolist() == [[27, 28, 29], [21, 22, 23]]
    np.testing.assert_array_equal(made.weights, found.weights)


def test_no_cues_weigh_all_alike() -> None:
    found = combine_cues(distinct(4), [], CONFIG)
    assert found.weights.tolist() == [1, 1, 1, 1] and found.counts == {}


def test_no_matches() -> None:
    found = combine_cues(distinct(0), [cue("depth")], CONFIG)
    assert len(found.weights) == len(found.match_weights) == len(found.keypoint_idxs) == 0
    assert len(found.correspondences(np.zeros((0, 2)), np.zeros((0, 3)))) == 0


def test_counts_say_what_each_cue_did() -> None:
    depth = Cue("depth", np.array([1, 0.5, 1, 1.0]), np.array([True, True, True, False]))
    counts = combine_cues(
        distinct(4), [depth, cue("track", 0.5, 0.5, 0.5, 1)], WeightingConfig(off=("track",))
    ).counts
    assert (counts["depth"].touched, counts["depth"].lowered, counts["depth"].used) == (3, 1, True)
    assert (counts["track"].touched, counts["track"].lowered, counts["track"].used) == (3, 3, False)


@pytest.mark.parametrize(
    "config", [WeightingConfig(off=("depth",)), WeightingConfig(off=(), depth=0)]
)
def test_a_cue_switched_off_changes_nothing(config: WeightingConfig) -> None:
    score = cue("score", 0.3, 0.9, 0.5)
    with_it = combine_cues(distinct(3), [score, cue("depth", 0, 0.1, 1)], config)
    np.testing.assert_array_equal(
        with_it.weights, combine_cues(distinct(3), [score], CONFIG).weights
    )


def test_no_weight_falls_below_the_least() -> None:
    found = combine_cues(distinct(3), [cue("depth", 0, 1, 0.001)], WeightingConfig(min_weight=0.02))
    np.testing.assert_allclose(found.match_weights / found.match_weights.max(), [0.02, 1, 0.02])


def test_where_all_is_denied_all_weigh_the_same() -> None:
    found = combine_cues(distinct(3), [cue("depth", 0, 0, 0)], CONFIG)
    assert found.weights.tolist() == [1, 1, 1]


def test_tiny_products_are_still_compared() -> None:
    config = WeightingConfig(depth=20, semantics=20, min_weight=0.01)
    cues = [cue(name, 1e-10, 2e-10, 1e-10) for name in ("depth", "semantics")]
    found = combine_cues(distinct(3), cues, config)  # products of 1e-400 are 0 in floating point
    np.testing.assert_allclose(found.match_weights / found.match_weights.max(), [0.01, 1, 0.01])


def test_nan_factors_say_nothing() -> None:
    found = combine_cues(distinct(2), [cue("depth", np.nan, 1)], CONFIG)
    assert found.weights.tolist() == [1, 1]


def test_cues_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ShapeError, match="'depth' is of 2 matches, there are 3"):
        combine_cues(distinct(3), [cue("depth", 1, 1)], CONFIG)
    with pytest.raises(ConfigError, match="unknown cue 'smell'"):
        combine_cues(distinct(1), [cue("smell", 1)], CONFIG)
    with pytest.raises(ConfigError, match="names of their own"):
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
    rows = PutativeMatches(draw(idxs), draw(idxs), np.zeros(count), np.ones(count))
    return rows, [Cue(name, draw(factors), np.ones(count, bool)) for name in names]


@settings(max_examples=60, deadline=None)
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
    moved = PutativeMatches(
        rows.keypoint_idxs[order], rows.point3D_idxs[order], rows.hit_idxs, rows.scores
    )
    moved_cues = [Cue(c.name, c.factors[order], c.touched[order]) for c in cues]
    again = combine_cues(moved, moved_cues, CONFIG)
    np.testing.assert_allclose(again.weights, found.weights, rtol=1e-12)
    np.testing.assert_array_equal(again.keypoint_idxs, found.keypoint_idxs)
    np.testing.assert_array_equal(again.point3D_idxs, found.point3D_idxs)
    # a cue that says nothing, and the same match twice
    free = [name for name in CUE_NAMES if name not in {c.name for c in cues}]
    silent = [Cue(n, np.ones(len(rows)), np.zeros(len(rows), bool)) for n in free[:1]]
    np.testing.assert_array_equal(combine_cues(rows, cues + silent, CONFIG).weights, found.weights)
    twice = PutativeMatches(
        *(np.concatenate([a, a]) for a in (rows.keypoint_idxs, rows.point3D_idxs)),
        np.zeros(2 * len(rows)),
        np.ones(2 * len(rows)),
    )
    twice_cues = [Cue(c.name, np.tile(c.factors, 2), np.tile(c.touched, 2)) for c in cues]
    np.testing.assert_allclose(combine_cues(twice, twice_cues, CONFIG).weights, found.weights)


def test_scores_become_odds_and_no_matcher_is_quite_sure() -> None:
    found = score_cue(np.array([0.2, 1.0, 1.5, -0.1, np.nan], np.float32))
    surest = SUREST / (1 - SUREST)
    np.testing.assert_allclose(found.factors, [0.25 / surest, 1, 1, surest**-2, 1], rtol=1e-6)
    assert found.touched.tolist() == [True, True, True, True, False]


def test_similarities_count_relative_to_the_best() -> None:
    found = retrieval_cue(np.array([0.5, 0.8, 0.4, -0.2]), np.array([1, 0, 2, 3, 1]))
    np.testing.assert_allclose(found.factors, [1, 0.625, 0.5, 0, 1])
    assert found.touched.all()


@pytest.mark.parametrize("similarities", [[-0.1, -0.2], [0.0, 0.0], [np.nan, np.nan]])
def test_similarities_without_a_positive_one_say_nothing(similarities: list[float]) -> None:
    found = retrieval_cue(np.array(similarities), np.array([0, 1, 1]))
    assert (found.factors == 1).all() and not found.touched.any()


def test_similarities_must_exist() -> None:
    assert len(retrieval_cue(np.zeros(0), np.zeros(0, int)).factors) == 0
    for idxs in ([0, 2], [-1, 0]):
        with pytest.raises(ShapeError, match="2 retrieved images"):
            retrieval_cue(np.ones(2), np.array(idxs))


def test_tracks_count_by_length_and_error() -> None:
    found = track_cue(np.array([2, 10, 2, 10]), np.array([0, 0, 2.0, 2.0]), CONFIG)
    np.testing.assert_allclose(found.factors, [0.5, 0.9, 0.25, 0.45])
    assert found.touched.all()


def test_unknown_tracks_and_errors_say_nothing() -> None:
    found = track_cue(np.array([0, 4, 1]), np.array([np.nan, -1, 2.0]), CONFIG)
    np.testing.assert_allclose(found.factors, [1, 0.75, 0.5])
    assert found.touched.tolist() == [False, True, True]
    with pytest.raises(ShapeError):
        track_cue(np.ones(3), np.ones(2), CONFIG)
