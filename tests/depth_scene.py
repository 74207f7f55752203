"""Exact scene on a surface, with the depth images that its cameras would measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.geometry.cameras import cam_from_img
from hloc_lite.types import Camera, DepthMap, Float64, Rigid3
from tests.exact_scene import ExactScene, make_scene

ITERATIONS = 60
"""Steps of the search for the surface along a ray; it is no steeper than the rays are."""


def surface_height(x: Float64, y: Float64) -> Float64:
    """World z of the surface: a slanted wall with waves, that differs wherever one looks."""
    return 6.0 + 0.35 * x + 0.15 * y + 0.3 * np.sin(1.7 * x) + 0.2 * np.cos(2.3 * y)


def make_depth_scene(num_cameras: int = 10, num_points: int = 600) -> ExactScene:
    """Points on the surface, seen by the cameras of ``exact_scene``."""
    scene = make_scene(num_cameras, num_points)
    x, y = scene.points[:, 0], scene.points[:, 1]
    return replace(scene, points=np.stack([x, y, surface_height(x, y)], axis=1))


def depth_image(camera: Camera, cam_from_world: Rigid3, size: tuple[int, int]) -> DepthMap:
    """Exact depths of the surface at the pixel centres of an image of (width, height)."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    scale = np.array([camera.width / width, camera.height / height])
    pixels = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1) * scale
    rays = np.concatenate([cam_from_img(camera, pixels), np.ones((len(pixels), 1))], axis=1)
    directions = rays @ cam_from_world.rotation
    z = np.full(len(rays), 6.0)
    for _ in range(ITERATIONS):
        points = cam_from_world.center + z[:, None] * directions
        ahead = surface_height(points[:, 0], points[:, 1]) - points[:, 2]
        z += 0.5 * ahead / directions[:, 2]
    depths = z.reshape(height, width).astype(np.float32)
    return DepthMap(depths, (camera.width, camera.height))


def unchanged(name: str, depth: DepthMap) -> DepthMap:
    """Depth without a fault."""
    return depth


@dataclass(frozen=True)
class SurfaceDepth:
    """``MapDepth`` of the surface, optionally with a fault."""

    scene: ExactScene
    names: dict[str, int]
    """Image name -> index of its camera."""
    fault: Callable[[str, DepthMap], DepthMap] = unchanged
    size: tuple[int, int] = (160, 120)
    """(width, height) of the depth images."""

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Depths of an image; None for other images."""
        if image_name not in self.names:
            return None
        pose = self.scene.poses[self.names[image_name]]
        return self.fault(image_name, depth_image(self.scene.camera, pose, self.size))
