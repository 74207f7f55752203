"""Correspondences of a known pose, with noise and outliers: for tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.geometry.cameras import bearings, camera_from_focal, img_from_cam
from hloc_lite.types import Bool, Camera, Correspondences, Rigid3

CAMERA = camera_from_focal("SIMPLE_RADIAL", 1024, 768, 900, has_prior_focal=True)
"""A lens of 59 degrees."""
NEAREST, FARTHEST = 4.0, 20.0
"""Distances of the points, map units."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What was seen, and what is true."""

    correspondences: Correspondences
    camera: Camera
    cam_from_world: Rigid3
    true: Bool
    """(K,) which correspondences are right."""


def make_scene(
    seed: int,
    count: int = 500,
    share: float = 0.5,
    noise_px: float = 1.0,
    camera: Camera = CAMERA,
) -> Scene:
    """Points around a camera anywhere in space; wrong ones anywhere in the image.

    Args:
        count: K.
        share: of right correspondences.
        noise_px: standard deviation of right pixels along each axis.
    """
    rng = np.random.default_rng(seed)
    pose = Rigid3(Rotation.random(random_state=seed).as_matrix(), 5 * rng.normal(size=3))
    size = np.array([camera.width, camera.height])
    # off the border, so that noise leaves points in the image
    pixels = rng.uniform(0.02, 0.98, (count, 2)) * size
    points = pose.inverse().apply(
        bearings(camera, pixels) * rng.uniform(NEAREST, FARTHEST, (count, 1))
    )
    true = rng.permutation(count) < round(share * count)
    seen = img_from_cam(camera, pose.apply(points)) + noise_px * rng.normal(size=(count, 2))
    seen[~true] = rng.uniform(0, 1, (int((~true).sum()), 2)) * size
    order = np.arange(count)
    return Scene(Correspondences(seen, points, order, order, np.ones(count)), camera, pose, true)


def informative_weights(scene: Scene, separation: float, seed: int) -> np.ndarray:
    """(K,) likelihood ratios of a normal score that right correspondences have higher by
    ``separation`` standard deviations: 1.19 gives an area under the ROC curve of 0.8, 0 says
    nothing, -0.74 (0.3) misleads."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=len(scene.true)) + separation * scene.true
    return np.asarray(np.exp(abs(separation) * score) if separation else np.exp(score))
