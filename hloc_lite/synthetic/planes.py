"""Fast synthetic scene: a few textured planes, warped into each view, with exact poses.

Meant for tests and benchmarks of anything but accuracy: real features match here, and neither a
renderer nor a network is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hloc_lite.geometry.cameras import calibration_matrix
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Float64, Rigid3, UInt8

TEXTURE_PX = 640


@dataclass(frozen=True, eq=False)
class PlanesScene:
    """Textured planes, farthest first, and the cameras that see them."""

    corners: Float64
    """(P, 3, 3) origin, width vector and height vector of each plane, world."""
    textures: UInt8
    """(P, 640, 640) grey."""
    camera: Camera
    cams_from_world: tuple[Rigid3, ...]

    def view(self, index: int) -> UInt8:
        """(H, W, 3) RGB image of camera ``index``."""
        size = (self.camera.width, self.camera.height)
        image = np.full(size[::-1], 90, np.uint8)
        pose = self.cams_from_world[index]
        for (origin, along, down), texture in zip(self.corners, self.textures, strict=True):
            in_cam = np.stack([along, down, origin], axis=1)
            in_cam = pose.rotation @ in_cam
            in_cam[:, 2] += pose.translation
            from_texture = np.diag([1 / TEXTURE_PX, 1 / TEXTURE_PX, 1.0])
            # pixel centres are at half pixels here, at whole pixels in OpenCV
            half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
            homography = calibration_matrix(self.camera) @ in_cam @ from_texture @ half
            homography = np.linalg.inv(half) @ homography
            warped = cv2.warpPerspective(texture, homography, size, flags=cv2.INTER_AREA)
            inside = cv2.warpPerspective(np.full_like(texture, 255), homography, size)
            image = np.where(inside > 250, warped, image)
        return np.repeat(image[..., None], 3, axis=2)

    def write_images(self, folder: Path, names: Mapping[str, int]) -> None:
        """Write the image of camera ``names[name]`` as ``folder/name``, for each name."""
        for name, index in names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.view(index)).save(path, quality=95)

    def reference(self, names: Mapping[str, int]) -> SfmModel:
        """SfM model of the named views: camera and poses, no points."""
        no_xy, no_idxs = np.zeros((0, 2)), np.zeros(0, np.int64)
        images = tuple(
            SfmImage(number, name, 1, self.cams_from_world[index], no_xy, no_idxs)
            for number, (name, index) in enumerate(sorted(names.items()), start=1)
        )
        no_xyz = np.zeros((0, 3))
        return SfmModel(
            {1: self.camera}, images, no_idxs, no_xyz, no_xyz.astype(np.uint8), np.zeros(0)
        )


def make_planes(num_views: int, seed: int = 0, size: tuple[int, int] = (320, 240)) -> PlanesScene:
    """Make a back wall, three panels in front of it, and cameras on a wavy arc; deterministic."""
    rng = np.random.default_rng(seed)
    corners = np.array(
        [
            [[-9, -7, 11], [18, 0, 0], [0, 14, 0]],
            [[-5, -3, 9], [4, 0, -1.5], [0, 6, 0]],
            [[1.5, -3, 7.5], [3.5, 0, 1.5], [0, 5, 0.5]],
            [[-1.5, 0, 7], [2.5, 0, 0], [0, 3, -0.5]],
        ],
        np.float64,
    )
    textures = np.stack([_texture(rng) for _ in corners])
    poses = []
    for t in np.linspace(-1, 1, num_views):
        center = np.array([2.2 * t, 0.5 * np.sin(7 * t), 0.5 * np.cos(3 * t)])
        angle = 0.2 * t
        rotation = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
        poses.append(Rigid3(rotation, -rotation @ center))
    width, height = size
    params = np.array([0.9 * width, width / 2, height / 2])
    return PlanesScene(
        corners, textures, Camera("SIMPLE_PINHOLE", width, height, params), tuple(poses)
    )


def _texture(rng: np.random.Generator) -> UInt8:
    """Noise at several scales, with corners and blobs everywhere."""
    total = np.zeros((TEXTURE_PX, TEXTURE_PX), np.float32)
    for cells, strength in ((10, 50), (30, 50), (80, 40)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        size = (TEXTURE_PX, TEXTURE_PX)
        total += strength * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + total, 0, 255).astype(np.uint8)
