"""Facades with known textures: surfaces of them, and photos made without any renderer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.types import Camera, Rigid3, Surface, UInt8

CAMERA = Camera("PINHOLE", 320, 240, np.array([260.0, 260.0, 160.0, 120.0]))
DISTANCE, WIDTH, HEIGHT = 5.0, 8.0, 6.0
"""Metres: facades stand at z = DISTANCE, their middle at (x, 0)."""
PIXELS_PER_METRE = 50


@dataclass(frozen=True, eq=False)
class Facade:
    """A textured rectangle in the plane z = DISTANCE."""

    texture: UInt8
    middle: float = 0.0

    def surface(self, shown: float = 1.0) -> Surface:
        """Its left part as points, one for each texture pixel.

        Args:
            shown: share of its width.
        """
        rows, columns = np.mgrid[: len(self.texture), : int(shown * self.texture.shape[1])]
        x = (columns.ravel() + 0.5) / PIXELS_PER_METRE - WIDTH / 2 + self.middle
        y = (rows.ravel() + 0.5) / PIXELS_PER_METRE - HEIGHT / 2
        xyz = np.stack([x, y, np.full(len(x), DISTANCE)], axis=1).astype(np.float32)
        normals = np.tile(np.float32([0, 0, -1]), (len(x), 1))
        radii = np.full(len(x), 0.5 / PIXELS_PER_METRE, np.float32)
        rgb = self.texture[rows.ravel(), columns.ravel()]
        return Surface(xyz, rgb, normals, radii)

    def photo(self, cam_from_world: Rigid3, *, seed: int = 0) -> UInt8:
        """Photo from a pose with noise: each pixel's ray is cut with the plane."""
        columns, rows = np.meshgrid(np.arange(CAMERA.width) + 0.5, np.arange(CAMERA.height) + 0.5)
        fx, fy, cx, cy = CAMERA.params
        rays = np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones_like(rows)], axis=-1)
        rays = rays @ cam_from_world.rotation  # to the world: R^T ray
        center = cam_from_world.center
        depth = (DISTANCE - center[2]) / rays[..., 2]
        hit = center + rays * depth[..., None]
        x = (hit[..., 0] - self.middle + WIDTH / 2) * PIXELS_PER_METRE - 0.5
        y = (hit[..., 1] + HEIGHT / 2) * PIXELS_PER_METRE - 0.5
        seen = cv2.remap(self.texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        noise = np.random.default_rng(seed).normal(0, 4, seen.shape)
        return np.clip(0.8 * seen + 20 + noise, 0, 255).astype(np.uint8)


def wall(seed: int) -> UInt8:
    """(300, 400, 3) irregular texture."""
    rng = np.random.default_rng(seed)
    size = (int(HEIGHT * PIXELS_PER_METRE), int(WIDTH * PIXELS_PER_METRE))
    noise = cv2.GaussianBlur(rng.random(size).astype(np.float32), (0, 0), 5)
    noise += 0.3 * cv2.GaussianBlur(rng.random(size).astype(np.float32), (0, 0), 2)
    spread = (noise - noise.mean()) / noise.std()
    return np.repeat(np.clip(128 + 45 * spread, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def with_poster(texture: UInt8, seed: int) -> UInt8:
    """A facade with a poster of 2 m x 2 m in its middle."""
    posted = texture.copy()
    rows, columns = (slice(side // 2 - 50, side // 2 + 50) for side in texture.shape[:2])
    posted[rows, columns] = wall(seed)[rows, columns]
    return posted


def pose_at(x: float, y: float = 0.0, z: float = 0.0, turned_deg: float = 0.0) -> Rigid3:
    """Pose of a camera at a place, turned about its y axis."""
    angle = np.radians(turned_deg)
    rotation = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    return Rigid3(rotation, -rotation @ np.array([x, y, z]))
