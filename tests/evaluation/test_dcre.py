"""Dense correspondence reprojection error against values computed by hand, and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.evaluation.dcre import dcre, dcre_scores
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Float64, Rigid3

from .scenes import moved, random_poses

CAMERA = Camera("PINHOLE", 4, 3, np.array([100.0, 100, 2, 1.5]))
"""Its image has a diagonal of 5 pixels."""
TRUE = random_poses(["a"])["a"]


def shifted(offset_in_cam: list[float]) -> Rigid3:
    return Rigid3(TRUE.rotation, TRUE.translation - np.array(offset_in_cam))


def plain_loop(depths: Float64, true: Rigid3, estimated: Rigid3, camera: Camera) -> float:
    """Each pixel by itself, from the definition."""
    fx, fy, cx, cy = camera.params
    diagonal, errors = math.hypot(*depths.shape), []
    for row, column in np.ndindex(depths.shape):
        z = depths[row, column]
        if not (z > 0 and math.isfinite(z)):
            continue
        in_true = np.array([(column - cx) / fx * z, (row - cy) / fy * z, z])
        in_world = np.linalg.inv(true.matrix) @ [*in_true, 1]
        x, y, depth, _ = estimated.matrix @ in_world
        offset = math.hypot(x / depth * fx + cx - column, y / depth * fy + cy - row)
        errors.append(min(1.0, offset / diagonal))
    return float(np.mean(errors))


def test_a_true_pose_has_no_error() -> None:
    assert dcre(np.full((3, 4), 2.0), TRUE, TRUE, CAMERA) == pytest.approx(0, abs=1e-12)


def test_error_of_a_plane_by_hand() -> None:
    depths = np.full((3, 4), 2.0)
    # every pixel moves by f 0.02 / 2 = 1 pixel of 5
    assert dcre(depths, TRUE, shifted([0.02, 0, 0]), CAMERA) == pytest.approx(0.2)
    assert dcre(depths, TRUE, shifted([0, 0.06, 0]), CAMERA) == pytest.approx(0.6)
    # 10 of 5 pixels count as 1
    assert dcre(depths, TRUE, shifted([0.2, 0, 0]), CAMERA) == 1
    # the far half moves by a tenth
    depths[:, 2:] = 20
    assert dcre(depths, TRUE, shifted([0.02, 0, 0]), CAMERA) == pytest.approx((0.2 + 0.02) / 2)


def test_unknown_depths_are_left_out() -> None:
    depths = np.array([[2, 0, np.nan, -1], [np.inf, 0, 0, 0], [0, 0, 0, 20]], np.float32)
    assert dcre(depths, TRUE, shifted([0.02, 0, 0]), CAMERA) == pytest.approx(0.11)
    assert math.isnan(dcre(np.zeros((3, 4)), TRUE, TRUE, CAMERA))


def test_depths_of_lower_resolution() -> None:
    large = Camera("PINHOLE", 8, 6, CAMERA.params * 2)
    depths = np.full((3, 4), 2.0)
    assert dcre(depths, TRUE, shifted([0.02, 0, 0]), large) == pytest.approx(0.2)
    with pytest.raises(FormatError, match="depths of 3 x 4 do not fit an image of 8 x 6"):
        dcre(depths.T, TRUE, TRUE, large)
    radial = Camera("SIMPLE_RADIAL", 4, 3, np.array([100.0, 2, 1.5, 0.1]))
    with pytest.raises(FormatError, match="PINHOLE"):
        dcre(depths, TRUE, TRUE, radial)


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_a_plain_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    camera = Camera("PINHOLE", 27, 48, np.array([37.8, 37.9, 13.4, 24.6]))
    depths = generator.uniform(0.5, 4, (48, 27))
    depths[generator.uniform(size=depths.shape) < 0.2] = 0
    estimated = moved(TRUE, [0.01, 0.3, 2.0][seed % 3], [0.5, 20.0, 170.0][seed % 3])
    expected = plain_loop(depths, TRUE, estimated, camera)
    assert dcre(depths, TRUE, estimated, camera) == pytest.approx(expected, abs=1e-12)


def test_points_behind_the_camera() -> None:
    depths = np.full((3, 4), 2.0)
    turn = exp_so3([0, np.pi, 0])
    back = Rigid3(turn @ TRUE.rotation, turn @ TRUE.translation)
    # rows are mirrored about 1.5: from 0, 1, 2 by 3, 1, 1 of 5 pixels
    assert dcre(depths, TRUE, back, CAMERA) == pytest.approx((3 + 1 + 1) / 15)
    assert dcre(depths, TRUE, back, CAMERA, behind_is_lost=True) == 1


def test_scores_of_several_frames() -> None:
    true = random_poses(["a", "b", "c", "d", "e"])
    true = dict.fromkeys(true, TRUE)
    depths = {name: np.full((3, 4), 2.0) for name in true}
    depths["d"][:] = 0
    estimated = {
        "a": shifted([0.002, 0, 0]),  # 0.02
        "b": shifted([0.01, 0, 0]),  # 0.1
        "c": shifted([0.09, 0, 0]),  # 0.9
        "d": TRUE,
        "other": TRUE,
    }
    cameras = dict.fromkeys(true, CAMERA)
    found = dcre_scores(estimated, true, cameras, depths.get)
    assert dict(found.errors) == pytest.approx({"a": 0.02, "b": 0.1, "c": 0.9})
    assert (found.without_pose, found.without_depth) == (("e",), ("d",))
    assert found.num_frames == 4
    assert (found.share_below(0.05), found.share_below(0.15)) == (0.25, 0.5)
    assert found.share_above(0.5) == 0.25
    assert found.mean == pytest.approx(1.02 / 3)
    assert found.median == pytest.approx(0.5)  # between 0.1 and 0.9; the missing one is the last
    del estimated["a"], estimated["b"]
    assert math.isinf(dcre_scores(estimated, true, cameras, depths.get).median)
    assert dcre_scores({}, true, cameras, depths.get).share_below(0.15) == 0
    estimated["c"] = Rigid3(np.eye(3), np.full(3, np.nan))
    assert "c" in dcre_scores(estimated, true, cameras, depths.get).without_pose


def test_depths_may_be_missing_but_not_cameras() -> None:
    true = {"a": TRUE}
    found = dcre_scores(true, true, {"a": CAMERA}, lambda _: None)
    assert found.without_depth == ("a",)
    assert math.isnan(found.mean) and math.isnan(found.median) and math.isnan(found.share_below(1))
    with pytest.raises(HlocLiteError, match="'a' has no camera"):
        dcre_scores(true, true, {}, lambda _: None)
    with pytest.raises(HlocLiteError, match="nothing to compare with"):
        dcre_scores(true, {}, {}, lambda _: None)
