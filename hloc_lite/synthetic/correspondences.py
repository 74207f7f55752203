"""Random 2D-3D correspondences of a known pose, with noise and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.geometry.cameras import bearings, camera_from_focal, img_from_cam
from hloc_lite.types import Bool, Camera, Correspondences, Rigid3

CAMERA = camera_from_focal("SIMPLE_RADIAL", 1024, 768, 900, has_prior_focal=True)
"""Default camera, 59 degrees wide."""
NEAREST, FARTHEST = 4.0, 20.0
"""Range of the points' distances from the camera, map units."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Correspondences of one image with their ground truth."""

    correspondences: Correspondences
    camera: Camera
    cam_from_world: Rigid3
    inlier_mask: Bool
    """(K,) True for correct correspondences."""


def make_scene(
    seed: int,
    count: int = 500,
    inlier_ratio: float = 0.5,
    noise_px: float = 1.0,
    camera: Camera = CAMERA,
) -> Scene:
    """Sample points in front of a camera with a random pose; outliers are random pixels.

    Args:
        seed: seed of the scene.
        count: number of correspondences K.
        inlier_ratio: share of correct correspondences.
        noise_px: standard deviation of the pixels of inliers along each axis.
        camera: intrinsics.
    """
    rng = np.random.default_rng(seed)
    pose = Rigid3(Rotation.random(random_state=seed).as_matrix(), 5 * rng.normal(size=3))
    size = np.array([camera.width, camera.height])
    # away from the border, so that noise leaves points inside the image
    pixels = rng.uniform(0.02, 0.98, (count, 2)) * size
    points = pose.inverse().apply(
        bearings(camera, pixels) * rng.uniform(NEAREST, FARTHEST, (count, 1))
    )
    inliers = rng.permutation(count) < round(inlier_ratio * count)
    observed = img_from_cam(camera, pose.apply(points)) + noise_px * rng.normal(size=(count, 2))
    observed[~inliers] = rng.uniform(0, 1, (int((~inliers).sum()), 2)) * size
    idxs = np.arange(count)
    correspondences = Correspondences(observed, points, idxs, idxs, np.ones(count))
    return Scene(correspondences, camera, pose, inliers)


def informative_weights(scene: Scene, separation: float, seed: int) -> np.ndarray:
    """Sample (K,) weights: likelihood ratios of a normal score that is higher for inliers.

    Args:
        scene: the scene to weight.
        separation: difference of the mean scores of inliers and outliers in standard deviations.
            1.19 gives an area under the ROC curve of 0.8, 0 is uninformative, -0.74 (0.3) misleads.
        seed: seed of the scores.
    """
    rng = np.random.default_rng(seed)
    score = rng.normal(size=len(scene.inlier_mask)) + separation * scene.inlier_mask
    return np.asarray(np.exp(abs(separation) * score) if separation else np.exp(score))
