"""Depth consistency: planted wrong matches get low factors, unknown ones stay neutral."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import DepthConfig
from hloc_lite.consistency.depth_check import (
    check_pose_depths,
    depth_check,
    depth_cue,
    depths_in_images,
)
from hloc_lite.errors import ShapeError
from hloc_lite.types import DepthMap, PutativeMatches, Rigid3

CONFIG = DepthConfig()
KINDS = ("metric", "relative", "inverse")


def values_of(depths: np.ndarray, kind: str) -> np.ndarray:
    """Values of a depth map of that kind at those depths."""
    return {
        "metric": 0.6 * depths,
        "relative": 2 * depths - 1.5,
        "inverse": 3 / depths + 0.1,
    }[kind]


def scene(count: int = 100, wrong: int = 20, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Depths in the query and in an image 2 m behind it; mask of those wrong by a factor of 2."""
    rng = np.random.default_rng(seed)
    query = rng.uniform(4, 30, count)
    image = (query + 2.0) * np.exp(rng.normal(0, 0.01, count))
    is_wrong = np.arange(count) < wrong
    image[is_wrong] *= np.where(rng.random(wrong) < 0.5, 2.5, 0.4)
    return query, image, is_wrong


@pytest.mark.parametrize("kind", KINDS)
def test_factors_of_wrong_matches_fall(kind: str) -> None:
    query, image, wrong = scene()
    cue = depth_check(values_of(query, kind), image, np.zeros(100, int), kind, CONFIG)
    assert cue.name == "depth" and cue.touched.all()
    # inverse depths of two views are not linear in each other: the nearest matches lose
    assert (cue.factors[~wrong] == 1).mean() >= (0.95 if kind == "inverse" else 1)
    assert (cue.factors[wrong] < 0.5).all() and (cue.factors >= CONFIG.min_factor).all()


def test_factor_falls_with_the_square_of_the_error() -> None:
    image = np.linspace(5, 20, 50)
    query = image.copy()
    query[7] *= 1.3
    query[8] /= 1.2
    query[9] *= 50
    config = DepthConfig(view_shift=False, view_ratio=1.1, min_factor=0.02)
    factors = depth_check(query, image, np.zeros(50, int), "metric", config).factors
    expected = np.ones(50)
    expected[7] = (np.log(1.1) / np.log(1.3)) ** 2
    expected[8] = (np.log(1.1) / np.log(1.2)) ** 2
    expected[9] = 0.02
    np.testing.assert_allclose(factors, expected, rtol=1e-9)


def test_images_do_not_influence_each_other() -> None:
    query, image, wrong = scene(200)
    hits = np.arange(200) % 2
    image = np.where(hits == 1, image * 7, image)  # a scale that is wrong for the other image
    cue = depth_check(query, image, hits, "metric", CONFIG)
    assert (cue.factors[~wrong] == 1).all() and (cue.factors[wrong] < 0.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows_and_image_indices_have_no_effect(kind: str) -> None:
    rng = np.random.default_rng(3)
    query, image, _ = scene(120, 30)
    hits, values = rng.integers(0, 3, 120), values_of(query, kind)
    before = depth_check(values, image, hits, kind, CONFIG)
    order = rng.permutation(120)
    after = depth_check(values[order], image[order], 7 - hits[order], kind, CONFIG)
    np.testing.assert_allclose(after.factors, before.factors[order], atol=1e-9)
    assert (after.touched == before.touched[order]).all()


def test_unit_of_the_map_has_no_effect() -> None:
    query, image, _ = scene()
    one = depth_check(query, image, np.zeros(100, int), "metric", CONFIG)
    other = depth_check(40 * query, 0.01 * image, np.zeros(100, int), "metric", CONFIG)
    np.testing.assert_allclose(one.factors, other.factors, atol=1e-6)


@pytest.mark.parametrize(("count", "has_information"), [(14, False), (15, True)])
def test_few_matches_are_neutral(count: int, has_information: bool) -> None:
    query, image, _ = scene(count, 2)
    cue = depth_check(query, image, np.zeros(count, int), "metric", CONFIG)
    assert cue.touched.all() == cue.touched.any() == (cue.factors < 1).any() == has_information


def test_unknown_depths_do_not_count_towards_min_matches() -> None:
    query, image, _ = scene(20, 2)
    query[14:] = np.nan
    cue = depth_check(query, image, np.zeros(20, int), "metric", CONFIG)
    assert not cue.touched.any() and (cue.factors == 1).all()


def test_unknown_depths_are_neutral() -> None:
    query, image, wrong = scene(100, 20)
    query[90:92], image[92:94], query[94], image[95] = np.nan, np.nan, 0, -3
    cue = depth_check(query, image, np.zeros(100, int), "metric", CONFIG)
    assert cue.touched[:90].all() and not cue.touched[90:96].any() and cue.touched[96:].all()
    assert (cue.factors[90:] == 1).all() and (cue.factors[wrong] < 0.5).all()


def test_unrelated_depths_are_neutral() -> None:
    rng = np.random.default_rng(0)
    query, image = rng.uniform(2, 40, (2, 100))  # unrelated depths
    cue = depth_check(query, image, np.zeros(100, int), "metric", CONFIG)
    assert not cue.touched.any() and (cue.factors == 1).all()


def test_no_matches() -> None:
    empty = np.zeros(0)
    assert len(depth_check(empty, empty, empty, "inverse", CONFIG).factors) == 0
    nothing = np.full(30, np.nan)
    cue = depth_check(nothing, np.ones(30), np.zeros(30, int), "relative", CONFIG)
    assert not cue.touched.any() and (cue.factors == 1).all()


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeError, match=r"must be \(R,\)"):
        depth_check(np.ones(4), np.ones(5), np.zeros(5), "metric", CONFIG)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_cue_of_two_images(kind: str) -> None:
    """A query 2 m in front of one image and 1 m in front of another that looks the other way."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    depths = 8 + 0.2 * x + 0.1 * y
    depth_map = DepthMap(
        values_of(depths, kind), (400, 300), kind == "metric", is_inverse=kind == "inverse"
    )
    keypoints = rng.uniform([10, 10], [390, 290], (80, 2))
    z = 8 + keypoints @ [0.02, 0.01]
    xyz = np.column_stack([(keypoints - [200, 150]) / 300 * z[:, None], z])
    mirrored = np.diag([-1.0, -1.0, 1.0])
    poses = [Rigid3(np.eye(3), np.array([0, 0, 2.0])), Rigid3(mirrored, np.array([0, 0, 1.0]))]
    idxs = np.arange(80)
    points = idxs.copy()
    far, near = np.argsort(z)[-5:], np.argsort(z)[:5]
    points[near], points[far] = far, near
    rows = PutativeMatches(idxs, points, idxs % 2, np.ones(80), xyz[points])
    cue = depth_cue(rows, keypoints, depth_map, poses, CONFIG)
    wrong = points != idxs
    assert cue.touched.all() and (cue.factors[~wrong] == 1).all()
    assert (cue.factors[wrong] < 0.5).all()
    in_image = depths_in_images(poses, rows.hit_idxs, xyz[points])
    np.testing.assert_allclose(in_image, z[points] + np.where(idxs % 2, 1, 2))


def test_depth_cue_of_no_matches() -> None:
    none = PutativeMatches(*np.zeros((4, 0)), np.zeros((0, 3)))
    depth_map = DepthMap(np.ones((2, 2)), (4, 4))
    cue = depth_cue(none, np.zeros((0, 2)), depth_map, [], CONFIG)
    assert len(cue.factors) == 0


def hypotheses(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, 300) depths under the true pose (20 % wrong), a wrong pose and one with few points."""
    rng = np.random.default_rng(1)
    depths = rng.uniform(3, 25, 300)
    true = depths * np.exp(rng.normal(0, 0.1, 300))
    true[:60] = rng.uniform(40, 80, 60)
    false = rng.uniform(3, 25, 300)
    few = np.where(np.arange(300) < 10, depths, -1.0)
    return np.stack([true, false, few]), values_of(depths, kind), depths


@pytest.mark.parametrize("kind", KINDS)
def test_true_pose_agrees_most(kind: str) -> None:
    z, values, _ = hypotheses(kind)
    found = check_pose_depths(z, values, kind, CONFIG)
    assert found.agreement[0] > 0.75 and found.agreement[1] < 0.4
    assert found.agreement[2] == 0.5 and found.num_used.tolist() == [300, 300, 0]
    assert (found.factors[0, :60] < 0.4).all() and (found.factors[0, 60:] == 1).mean() > 0.95
    assert (found.factors[2] == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_uses_inliers_only(kind: str) -> None:
    z, values, _ = hypotheses(kind)
    inliers = np.zeros(z.shape, bool)
    inliers[0, 60:160] = True
    inliers[1, :100] = True
    found = check_pose_depths(z, values, kind, CONFIG, inliers)
    assert found.num_used.tolist() == [100, 100, 0]
    assert found.agreement[0] > 0.93 and found.agreement[1] < 0.4
    # the others are not used in the fit, but get factors
    assert (found.factors[0, :60] < 0.4).all() and (found.factors[0, 160:] == 1).mean() > 0.95


def test_scattered_depths_do_not_agree() -> None:
    rng = np.random.default_rng(0)
    z, values = np.exp(rng.normal(0, 2, (1, 500))), np.exp(rng.normal(0, 2, 500))
    assert check_pose_depths(z, values, "metric", CONFIG).agreement[0] < 0.15
    assert (check_pose_depths(z, values, "metric", CONFIG).factors < 1).mean() > 0.7


def test_tolerance_is_the_ratio_or_the_spread() -> None:
    values = np.linspace(5, 20, 101)
    z = values.copy()
    z[0], z[1] = 1.24 * values[0], 1.26 * values[1]
    factors = check_pose_depths(z, values, "metric", CONFIG).factors[0]
    assert factors[0] == 1 and factors[1] == pytest.approx((np.log(1.25) / np.log(1.26)) ** 2)
    z[2:] *= np.exp(np.where(np.arange(99) % 2, 0.15, -0.15))  # sigma is 0.15 * 1.4826
    assert (check_pose_depths(z, values, "metric", CONFIG).factors[0] == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_poses_do_not_influence_each_other(kind: str) -> None:
    z, values, _ = hypotheses(kind)
    together = check_pose_depths(z, values, kind, CONFIG)
    for row in range(3):
        alone = check_pose_depths(z[row], values, kind, CONFIG)
        assert alone.agreement[0] == pytest.approx(together.agreement[row])
        np.testing.assert_allclose(alone.factors[0], together.factors[row], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_predictions_have_no_effect(kind: str) -> None:
    z, values, _ = hypotheses(kind)
    wider = np.concatenate([z, np.full((3, 50), 5.0)], axis=1)
    unknown = np.concatenate([values, np.full(50, np.nan)])
    before, after = (
        check_pose_depths(z, values, kind, CONFIG),
        check_pose_depths(wider, unknown, kind, CONFIG),
    )
    np.testing.assert_allclose(after.agreement, before.agreement)
    np.testing.assert_allclose(after.factors[:, :300], before.factors)
    assert (after.factors[:, 300:] == 1).all()


def test_points_behind_the_camera_are_unused() -> None:
    values = np.linspace(5, 20, 40)
    z = values.copy()
    z[:10] *= -1
    found = check_pose_depths(z, values, "metric", CONFIG)
    assert found.num_used[0] == 30 and (found.factors == 1).all()


@pytest.mark.parametrize("values", [np.full(40, np.nan), np.zeros(0)])
def test_nothing_predicted(values: np.ndarray) -> None:
    found = check_pose_depths(np.ones((2, len(values))), values, "relative", CONFIG)
    assert found.agreement.tolist() == [0.5, 0.5] and (found.factors == 1).all()
    assert found.factors.shape == (2, len(values))


def test_shapes_must_fit() -> None:
    with pytest.raises(ShapeError, match=r"\(H, K\)"):
        check_pose_depths(np.ones((2, 5)), np.ones(4), "metric", CONFIG)
    with pytest.raises(ShapeError, match=r"\(H, K\)"):
        check_pose_depths(np.ones((2, 5)), np.ones(5), "metric", CONFIG, np.ones((1, 5), bool))
