"""Weight of uncertain landmarks: by their noise as the camera sees it."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.pose.landmark_precision import landmark_precisions
from hloc_lite.pose.merging import merge_correspondences
from hloc_lite.pose.refine import refine_on_inliers
from hloc_lite.types import Camera, Correspondences, Rigid3

CAMERA = Camera("PINHOLE", 640, 480, np.array([500.0, 500.0, 320.0, 240.0]))
CONFIG = PoseConfig()


def correspondences(xyz: np.ndarray, axes: np.ndarray | None) -> Correspondences:
    """Exact observations of points by a camera at the origin."""
    rows = np.arange(len(xyz))
    return Correspondences(
        img_from_cam(CAMERA, xyz), xyz, rows, rows, np.ones(len(xyz)), None, axes
    )


def test_noise_along_the_own_ray_does_not_count() -> None:
    xyz = np.array([[0.5, -0.3, 2.0]] * 3)
    ray = xyz[0] / np.linalg.norm(xyz[0])
    across = np.cross(ray, [0.0, 1.0, 0.0])
    given = correspondences(xyz, np.stack([0.1 * ray, 0.1 * across, np.zeros(3)]))
    found = landmark_precisions(given, CAMERA, Rigid3.identity(), CONFIG)
    assert found is not None
    np.testing.assert_allclose(found[[0, 2]], 1.0, atol=1e-9)
    assert found[1] < 0.1
    exact = correspondences(xyz, None)
    assert landmark_precisions(exact, CAMERA, Rigid3.identity(), CONFIG) is None


def test_a_pose_follows_the_certain_landmarks() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.uniform((-1, -1, 2), (1, 1, 4), (200, 3))
    aside = np.array([1.0, 0.0, 0.3]) / np.linalg.norm([1.0, 0.0, 0.3])
    sigmas = np.where(np.arange(200) < 150, 0.02, 0.0)
    moved = xyz + (sigmas + 0.01 * (sigmas > 0))[:, None] * aside  # a systematic error
    true = correspondences(xyz, sigmas[:, None] * aside)
    errors = []
    for axes in (sigmas[:, None] * aside, None):
        given = Correspondences(
            true.points2D, moved, true.keypoint_idxs, true.point3D_idxs, true.weights, None, axes
        )
        found = refine_on_inliers(given, CAMERA, Rigid3.identity(), CONFIG, 1)
        assert found is not None
        errors.append(pose_errors(found.cam_from_world, Rigid3.identity())[0])
    assert errors[0] < 0.5 * errors[1]


def test_noise_stays_with_its_correspondence() -> None:
    xyz = np.random.default_rng(1).uniform((-1, -1, 2), (1, 1, 4), (6, 3))
    axes = np.random.default_rng(2).normal(size=(6, 3))
    given = correspondences(xyz, axes)
    some = given.subset(np.array([4, 1]))
    assert some.noise_axes is not None
    np.testing.assert_array_equal(some.noise_axes, axes[[4, 1]])
    exact = correspondences(xyz[:3], None)
    merged, rows = merge_correspondences([exact, given])
    assert merged.noise_axes is not None
    np.testing.assert_array_equal(merged.noise_axes, np.concatenate([np.zeros((3, 3)), axes])[rows])
