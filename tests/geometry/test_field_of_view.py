"""Balls around parts of a scene: none is left out that reaches into the image."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.field_of_view import in_field_of_view, spheres_in_view
from hloc_lite.types import Camera

CAMERAS = [
    Camera("PINHOLE", 640, 480, np.array([500.0, 480.0, 330.0, 235.0])),
    Camera("SIMPLE_RADIAL", 640, 480, np.array([450.0, 320.0, 240.0, -0.1])),
    Camera("OPENCV_FISHEYE", 640, 480, np.array([250.0, 250.0, 320.0, 240.0, 0.02, 0.0, 0.0, 0.0])),
]


def balls(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.uniform(-10, 10, (count, 3)), rng.uniform(0.05, 2, count)


def reaches_into(camera: Camera, center: np.ndarray, radius: float) -> bool:
    directions = np.random.default_rng(1).normal(size=(400, 3))
    points = center + radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    # far outside, distortion models fold points back into the image
    points = points[in_field_of_view(camera, *points.astype(np.float32).T, margin=0.0)]
    pixels = img_from_cam(camera, points)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0).all(axis=1) & (pixels <= [camera.width, camera.height]).all(axis=1)
    return bool(inside.any())


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.model)
def test_every_ball_that_reaches_into_the_image_is_in_view(camera: Camera) -> None:
    centers, radii = balls(300)
    seen = spheres_in_view(camera, centers, radii)
    reach = np.array([reaches_into(camera, *ball) for ball in zip(centers, radii, strict=True)])
    assert reach.sum() > 20
    assert seen[reach].all()


def test_a_narrow_image_leaves_most_balls_out() -> None:
    centers, radii = balls(300)
    camera = CAMERAS[0]
    reach = np.array([reaches_into(camera, *ball) for ball in zip(centers, radii, strict=True)])
    assert spheres_in_view(camera, centers, radii).sum() <= 1.2 * reach.sum()


def test_a_ball_around_the_camera_is_in_view() -> None:
    seen = spheres_in_view(
        CAMERAS[0], np.array([[0.0, 0, 0], [0, 0, -1], [0, 0, -3]]), np.full(3, 2.0)
    )
    assert seen.tolist() == [True, True, False]
