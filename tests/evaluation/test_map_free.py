"""Map-free's scores against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.evaluation.confidence_scores import ScoredAnswers
from hloc_lite.evaluation.map_free import (
    acceptance,
    map_free_scores,
    precision_recall,
    scored_frames,
    vcre_px,
    virtual_points,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3

from .scenes import random_poses

CAMERA = Camera("PINHOLE", 2000, 2000, np.array([100.0, 100, 1000, 1000]))
MEAN_INVERSE_DEPTH = 0.3904178
"""Mean of 1/1.8, 1/2.1, 1/2.4, 1/2.7, 1/3.0, 1/3.3, 1/3.6."""


def shifted(pose: Rigid3, offset_in_cam: list[float]) -> Rigid3:
    """Move the camera by an offset in its own axes."""
    return Rigid3(pose.rotation, pose.translation - np.array(offset_in_cam))


def test_the_grid_has_196_points_before_the_camera() -> None:
    points = virtual_points()
    assert points.shape == (196, 3)
    np.testing.assert_allclose(points.min(axis=0), [-0.9, -0.45, 1.8])
    np.testing.assert_allclose(points.max(axis=0), [0.9, 0.45, 3.6])
    np.testing.assert_allclose(points.mean(axis=0), [0, 0, 2.7], atol=1e-12)
    assert len(np.unique(points.round(6), axis=0)) == 196
    np.testing.assert_allclose(np.unique(points[:, 1].round(6)), [-0.45, -0.15, 0.15, 0.45])


def test_vcre_of_a_camera_moved_sideways() -> None:
    true = random_poses(["a"])["a"]
    assert vcre_px(true, true, CAMERA) == pytest.approx(0, abs=1e-9)
    # a point at depth z moves by f 0.3 / z pixels
    expected = 30 * MEAN_INVERSE_DEPTH
    assert vcre_px(shifted(true, [0.3, 0, 0]), true, CAMERA) == pytest.approx(expected, rel=1e-6)
    assert vcre_px(shifted(true, [0, -0.3, 0]), true, CAMERA) == pytest.approx(expected, rel=1e-6)


def test_pixels_are_clamped_to_the_image() -> None:
    true = random_poses(["a"])["a"]
    # 1 km to the right all points are far to the left, at u = 0; they were at u = 1000 in the mean
    found = vcre_px(shifted(true, [1000, 0, 0]), true, CAMERA)
    assert found == pytest.approx(1000, abs=1e-6)


def test_points_behind_are_projected_by_the_same_formula() -> None:
    true = random_poses(["a"])["a"]
    back = Rigid3(exp_so3([0, np.pi, 0]) @ true.rotation, exp_so3([0, np.pi, 0]) @ true.translation)
    # (-x, y, -z): the same u, the mirrored v, 2 f |y| / z apart; the mean of |y| is 0.3
    assert vcre_px(back, true, CAMERA) == pytest.approx(60 * MEAN_INVERSE_DEPTH, rel=1e-6)


def test_a_point_in_the_plane_of_the_camera_gives_no_nan() -> None:
    true = Rigid3.identity()
    ahead = shifted(true, [0, -0.15, 1.8])  # some points are now at z = 0, and at y = 0 too
    assert vcre_px(ahead, true, CAMERA) > 0


def test_area_by_hand_with_ties_and_a_failure() -> None:
    answers = ScoredAnswers(
        np.array([3.0, 1, 4, 3]), np.array([False, True, True, True]), num_queries=5
    )
    recall, precision = precision_recall(answers)
    np.testing.assert_allclose(recall, [0, 0.2, 0.6, 0.8])
    np.testing.assert_allclose(precision, [1, 1, 2 / 3, 3 / 4])
    found = acceptance(answers)
    assert found.area == pytest.approx(0.2 * 1 + 0.4 * 2 / 3 + 0.2 * 3 / 4)
    assert (found.num_correct, found.precision) == (3, 0.6)


def test_area_of_a_perfect_order_and_of_no_estimates() -> None:
    right = np.array([True, True, False, False])
    order = np.array([4.0, 3, 2, 1])
    best, worst = (acceptance(ScoredAnswers(c, right, 4)).area for c in (order, order[::-1]))
    assert best == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)
    assert worst == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    nothing = acceptance(ScoredAnswers(np.zeros(0), np.zeros(0, bool), 4))
    assert (nothing.area, nothing.precision, nothing.num_correct) == (0, 0, 0)


def test_scores_of_two_scenes() -> None:
    scenes = {
        "s00460": random_poses([f"s00460/seq1/frame_{i:05}.jpg" for i in range(4)]),
        "s00461": random_poses([f"s00461/seq1/frame_{i:05}.jpg" for i in range(2)], 1),
    }
    true = {name: pose for poses in scenes.values() for name, pose in poses.items()}
    a, b, c, d, e, _ = true
    estimated = {
        a: shifted(true[a], [0.1, 0, 0]),  # both right: 10 / z px
        b: shifted(true[b], [1.0, 0, 0]),  # VCRE 39 px is right, 1 m is wrong
        c: shifted(true[c], [1000, 0, 0]),  # both wrong
        e: shifted(true[e], [0.3, 0, 0]),  # VCRE is right, 0.3 m is wrong
        "unknown": true[d],
    }
    confidences = {a: 9.0, b: 5.0, c: 5.0, e: 0.0}
    cameras = dict.fromkeys(true, CAMERA)
    found = map_free_scores(estimated, confidences, scenes, cameras)
    assert (found.num_frames, found.num_estimates) == (6, 4)
    assert found.vcre.num_correct == 3
    assert found.vcre.precision == 0.5
    # 1 of 1, 2 of 3, 3 of 4
    assert found.vcre.area == pytest.approx((1 * 1 + 2 * 2 / 3 + 1 * 3 / 4) / 6)
    # 1 of 1, 1 of 3, 1 of 4
    assert found.pose.area == pytest.approx((1 * 1 + 2 * 1 / 3 + 1 * 1 / 4) / 6)
    assert found.mean_median_distance == pytest.approx((1.0 + 0.3) / 2)
    assert found.mean_median_vcre_px == pytest.approx((100 + 30) / 2 * MEAN_INVERSE_DEPTH, rel=1e-6)
    del estimated[e]  # a scene without estimates is left out of the medians, not of the precision
    found = map_free_scores(estimated, confidences, scenes, cameras)
    assert found.mean_median_distance == pytest.approx(1.0)
    assert found.pose.precision == pytest.approx(1 / 6)
    assert found.pose.area == pytest.approx((1 + 2 * 1 / 3) / 6)


def test_nothing_estimated() -> None:
    scenes = {"s": random_poses(["s/a", "s/b"])}
    found = map_free_scores({}, {}, scenes, {})
    assert (found.num_frames, found.num_estimates, found.pose.area) == (2, 0, 0)
    assert math.isnan(found.mean_median_distance)


def test_every_fifth_frame_is_scored() -> None:
    true = random_poses([f"seq1/frame_{i:05}.jpg" for i in range(12)])
    assert list(scored_frames(true)) == [f"seq1/frame_{i:05}.jpg" for i in (0, 5, 10)]


def test_misuse_is_reported() -> None:
    scenes = {"s": random_poses(["s/a"])}
    true, cameras = scenes["s"], {"s/a": CAMERA}
    with pytest.raises(HlocLiteError, match="'s/a' has no confidence"):
        map_free_scores(true, {}, scenes, cameras)
    with pytest.raises(HlocLiteError, match="'s/a' has no camera"):
        map_free_scores(true, {"s/a": 1.0}, scenes, {})
    for confidence in (-1.0, math.nan, math.inf):
        with pytest.raises(HlocLiteError, match="finite and at least 0"):
            map_free_scores(true, {"s/a": confidence}, scenes, cameras)
    with pytest.raises(HlocLiteError, match="nothing to compare with"):
        map_free_scores(true, {}, {}, cameras)
    with pytest.raises(HlocLiteError, match="unique over all scenes"):
        map_free_scores(true, {"s/a": 1.0}, {**scenes, "t": true}, cameras)
    radial = Camera("SIMPLE_RADIAL", 640, 480, np.array([500.0, 320, 240, 0.1]))
    with pytest.raises(FormatError, match="PINHOLE"):
        vcre_px(true["s/a"], true["s/a"], radial)
