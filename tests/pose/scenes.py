"""Correspondences of a known pose, with noise and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.geometry.cameras import cam_from_img, camera_from_focal, img_from_cam
from hloc_lite.types import Bool, Camera, Correspondences, Rigid3

CAMERA = camera_from_focal("SIMPLE_RADIAL", 1024, 768, 900, has_prior_focal=True)


@dataclass(frozen=True, eq=False)
class Scene:
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
    """Points 4 to 20 units in front of a camera; wrong ones anywhere in the image."""
    rng = np.random.default_rng(seed)
    pose = Rigid3(Rotation.random(random_state=seed).as_matrix(), 5 * rng.normal(size=3))
    size = np.array([camera.width, camera.height])
    pixels = rng.uniform(0.02, 0.98, (count, 2)) * size
    rays = np.concatenate([cam_from_img(camera, pixels), np.ones((count, 1))], axis=1)
    points = pose.inverse().apply(rays * rng.uniform(4, 20, (count, 1)))
    true = rng.permutation(count) < round(share * count)
    seen = img_from_cam(camera, pose.apply(points)) + noise_px * rng.normal(size=(count, 2))
    seen[~true] = rng.uniform(0, 1, ((~true).sum(), 2)) * size
    order = np.arange(count)
    return Scene(Correspondences(seen, points, order, order, np.ones(count)), camera, pose, true)
