"""Geometric verification of matches between map images, with known poses or a two-view model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.config import GeometryConfig
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.io.pycolmap_adapter import TwoView, verify_pair
from hloc_lite.types import Bool, Camera, Float64, Int32, Matches, Rigid3


@dataclass(frozen=True, eq=False)
class PosedImage:
    """An image of known pose, prepared for the verification of its pairs."""

    rays: Float64
    """(N, 3) keypoints on the z = 1 plane; NaN where a pixel cannot be undistorted."""
    focal_px: float
    cam_from_world: Rigid3
    max_error_px: float
    """Largest distance of an inlier from its epipolar line."""


def posed_image(
    camera: Camera, cam_from_world: Rigid3, keypoints: Float64, config: GeometryConfig
) -> PosedImage:
    """Prepare an image of known pose with (N, 2) keypoints in pixels."""
    rays = _homogeneous(cam_from_img(camera, keypoints))
    focal_px = float(focal_lengths(camera).mean())
    return PosedImage(rays, focal_px, cam_from_world, max_epipolar_error_px(camera, config))


def verify_with_poses(images: tuple[PosedImage, PosedImage], matches: Matches) -> TwoView:
    """Keep the matches whose points lie on each other's epipolar lines under the known poses."""
    good = agree_with_poses(images, matches.indices)
    return TwoView(matches.indices[good], "CALIBRATED" if good.any() else "DEGENERATE")


def agree_with_poses(images: tuple[PosedImage, PosedImage], indices: Int32) -> Bool:
    """(K,) True for matches whose points lie on each other's epipolar lines.

    Args:
        indices: (K, 2) rows of the two images' keypoints.
    """
    errors = epipolar_errors_px(images, indices)
    with np.errstate(invalid="ignore"):
        good: Bool = (errors[0] <= images[0].max_error_px) & (errors[1] <= images[1].max_error_px)
    return good


def verify_without_poses(
    cameras: tuple[Camera, Camera],
    keypoints: tuple[Float64, Float64],
    matches: Matches,
    config: GeometryConfig,
) -> TwoView:
    """Keep the inliers of a two-view geometry estimated from the matches."""
    points = tuple(keypoints[i][matches.indices[:, i]] for i in range(2))
    mask, kind = verify_pair(
        cameras,
        (points[0], points[1]),
        max_error_px=max(max_epipolar_error_px(camera, config) for camera in cameras),
        min_inliers=config.min_inliers,
        seed=config.seed,
    )
    return TwoView(matches.indices[mask], kind)


def max_epipolar_error_px(camera: Camera, config: GeometryConfig) -> float:
    """Inlier threshold at the resolution of a camera; never below the configured one."""
    side = max(camera.width, camera.height)
    return config.max_epipolar_error_px * max(1.0, side / config.reference_side_px)


def epipolar_errors_px(
    images: tuple[PosedImage, PosedImage], indices: Int32
) -> tuple[Float64, Float64]:
    """Distances of matched points from each other's epipolar lines.

    Args:
        indices: (K, 2) rows of the two images' keypoints.

    Returns:
        Two (K,) arrays in pixels of the respective image; NaN where a pixel cannot be undistorted.
        Distances are measured on the z = 1 plane, where lines are straight, and scaled by the focal
        length. Without baseline they are distances from the rotated point.
    """
    rays = [image.rays[indices[:, side]] for side, image in enumerate(images)]
    focals = [image.focal_px for image in images]
    cams_from_world = [image.cam_from_world for image in images]
    second_from_first = cams_from_world[1].compose(cams_from_world[0].inverse())
    baseline = np.linalg.norm(second_from_first.translation)
    scale = 1.0 + max(np.linalg.norm(pose.center) for pose in cams_from_world)
    if baseline < 1e-9 * scale:
        rotated = rays[0] @ second_from_first.rotation.T
        error = np.linalg.norm(rotated[:, :2] / rotated[:, 2:] - rays[1][:, :2], axis=1)
        return error * focals[0], error * focals[1]
    translation = second_from_first.translation / baseline
    essential = cross_matrices(translation[None])[0] @ second_from_first.rotation
    lines_in_second = rays[0] @ essential.T
    lines_in_first = rays[1] @ essential
    value = np.abs((rays[1] * lines_in_second).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        in_first = value / np.linalg.norm(lines_in_first[:, :2], axis=1) * focals[0]
        in_second = value / np.linalg.norm(lines_in_second[:, :2], axis=1) * focals[1]
    return in_first, in_second


def _homogeneous(points: Float64) -> Float64:
    return np.concatenate([points, np.ones_like(points[:, :1])], axis=1)
