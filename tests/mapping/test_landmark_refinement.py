"""Landmarks from rays and depths: each contributes by its variance, wrong ones do not pull."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import LiftingConfig
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.mapping.depth_correction import fit_correction
from hloc_lite.mapping.landmark_fusion import PlacedKeypoints, fuse_landmarks
from hloc_lite.mapping.landmark_refinement import (
    DepthObservations,
    PosedCameras,
    refine_landmarks,
)
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 640, 480, np.array([500.0, 500.0, 320.0, 240.0]))


def cameras(*centers_x: float) -> PosedCameras:
    poses = [Rigid3(np.eye(3), np.array([-x, 0.0, 0.0])) for x in centers_x]
    return PosedCameras([CAMERA] * len(poses), poses)


def observe(
    images: PosedCameras, xyz: np.ndarray, z_sigma: float, rng: np.random.Generator | None = None
) -> DepthObservations:
    """Each image observes each of (M, 3) points, with noise if ``rng`` is given."""
    points, rows = np.meshgrid(np.arange(len(xyz)), np.arange(len(images.cameras)))
    points, rows = points.ravel(), rows.ravel()
    in_cam = images.in_cam(rows, xyz[points])
    pixels, z = img_from_cam(CAMERA, in_cam), in_cam[:, 2].copy()
    if rng is not None:
        pixels = pixels + rng.normal(size=pixels.shape)
        z = z + rng.normal(0, z_sigma, z.shape)
    ones = np.ones(len(rows))
    return DepthObservations(points, rows, points, pixels, ones, z, z_sigma * ones)


def points(count: int = 400) -> np.ndarray:
    return np.random.default_rng(0).uniform((-1, -1, 3), (1, 1, 5), (count, 3))


def test_covariances_are_those_of_the_errors() -> None:
    true, images = points(), cameras(0.0, 0.3)
    seen = observe(images, true, 0.05, np.random.default_rng(1))
    found = refine_landmarks(true, seen, images)
    errors = found.xyz - true
    squares = np.einsum("mi,mij,mj->m", errors, np.linalg.inv(found.covariances), errors)
    assert 2.4 < np.median(squares) * 3 / 2.366 < 4.2  # chi squared of 3: mean 3, median 2.366


def test_depth_and_rays_together_are_better_than_either() -> None:
    true, images = points(), cameras(0.0, 0.3)
    both = observe(images, true, 0.05, np.random.default_rng(1))
    no_depth = np.full(len(both), np.nan)
    rays = DepthObservations(*(getattr(both, name) for name in (
        "landmark_idxs", "image_idxs", "keypoint_idxs", "points2D", "sigmas_px",
    )), no_depth, no_depth)  # fmt: skip
    one = both.subset(both.image_idxs == 0)

    def error(seen: DepthObservations) -> float:
        found = refine_landmarks(true, seen, images)
        return float(np.median(np.abs(found.xyz[:, 2] - true[:, 2])))

    assert error(both) < 0.9 * min(error(rays), error(one))


def test_a_wrong_depth_does_not_pull_a_point_that_rays_fix() -> None:
    true, images = points(), cameras(-0.5, 0.0, 0.5)
    seen = observe(images, true, 0.01)
    z = seen.z.copy()
    z[seen.image_idxs == 0] *= 1.5  # behind glass
    wrong = DepthObservations(*(getattr(seen, name) for name in (
        "landmark_idxs", "image_idxs", "keypoint_idxs", "points2D", "sigmas_px",
    )), z, seen.z_sigmas)  # fmt: skip
    found = refine_landmarks(true, wrong, images)
    assert np.linalg.norm(found.xyz - true, axis=1).max() < 0.01


def placed_from(seen: DepthObservations, images: PosedCameras, xyz: np.ndarray) -> PlacedKeypoints:
    """Every observation a landmark of its own, at (O, 3) points."""
    alone = DepthObservations(
        np.arange(len(seen)), seen.image_idxs, seen.keypoint_idxs, seen.points2D, seen.sigmas_px,
        seen.z, seen.z_sigmas,
    )  # fmt: skip
    covariances = refine_landmarks(xyz, alone, images, num_steps=0).covariances
    return PlacedKeypoints(alone, xyz, xyz, covariances)


def test_matches_that_agree_are_fused_and_others_are_not() -> None:
    true, images = points(50), cameras(0.0, 0.2, 0.4)
    seen = observe(images, true, 0.02)
    placed = placed_from(seen, images, true[seen.landmark_idxs])
    rows = np.arange(150).reshape(3, 50)
    right = np.concatenate([np.stack([rows[0], rows[1]], 1), np.stack([rows[1], rows[2]], 1)])
    wrong = np.stack([rows[0], np.roll(rows[2], 7)], 1)
    limits = np.full(3, 4.0)
    fused = fuse_landmarks(placed, np.concatenate([right, wrong]), images, LiftingConfig(), limits)
    assert len(fused.landmarks.xyz) == 50
    assert (np.bincount(fused.observations.landmark_idxs) == 3).all()
    np.testing.assert_allclose(
        fused.landmarks.xyz[fused.observations.landmark_idxs],
        true[fused.observations.keypoint_idxs], atol=1e-6,
    )  # fmt: skip
    alone = fuse_landmarks(placed, wrong, images, LiftingConfig(), limits)
    assert len(alone.landmarks.xyz) == 150


def test_an_image_observes_a_landmark_once() -> None:
    true, images = points(1), cameras(0.0, 0.2)
    seen = observe(images, np.concatenate([true, true]), 0.02)
    placed = placed_from(seen, images, np.repeat(true, 4, axis=0))
    every = np.array([[0, 2], [0, 3], [1, 2], [1, 3]])
    fused = fuse_landmarks(placed, every, images, LiftingConfig(), np.full(2, 4.0))
    keys = np.stack([fused.observations.landmark_idxs, fused.observations.image_idxs])
    assert len(np.unique(keys, axis=1).T) == len(fused.observations) == 4
    assert len(fused.landmarks.xyz) == 3  # one of both images, and the two keypoints left over


def test_a_line_is_fitted_in_spite_of_outliers() -> None:
    rng = np.random.default_rng(0)
    z = rng.uniform(1, 5, 2000)
    measured = (z + 0.04) / 1.03 * (1 + rng.normal(0, 0.01, z.shape))
    measured[::5] = rng.uniform(0.5, 8, 400)
    found = fit_correction(measured, z, np.full(len(z), 1e-3))
    assert abs(found.offset + 0.04) < 0.005 and abs(found.factor - 1.03) < 0.003
    assert 0.007 < found.systematic < 0.016
