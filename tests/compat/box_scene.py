"""Photos of the inside corner of a room, three textured planes, with known poses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hloc_lite.formats.posed_images import posed_model
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3, UInt8

SIZE = (320, 240)
CAMERA = Camera("SIMPLE_RADIAL", *SIZE, np.array([260.0, 160.0, 120.0, 0.0]))
PLANES = (
    (np.array([-4.0, -3.0, 8.0]), np.array([8.0, 0, 0]), np.array([0, 6.0, 0])),
    (np.array([4.0, -3.0, 8.0]), np.array([0, 0, -8.0]), np.array([0, 6.0, 0])),
    (np.array([-4.0, 3.0, 0.0]), np.array([8.0, 0, 0]), np.array([0, 0, 8.0])),
)
"""Corner and both sides of each plane; none hides another from inside."""
TEXTURE_SIDE = 700


def poses(count: int) -> list[Rigid3]:
    """Cameras on an arc, which look at the corner."""
    found = []
    for t in np.linspace(-1, 1, count):
        center = np.array([2.2 * t - 0.5, 0.5 * np.sin(4 * t), 0.6 * np.cos(2 * t)])
        angle = 0.2 - 0.25 * t
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
        found.append(Rigid3(rotation, -rotation @ center))
    return found


def render(pose: Rigid3) -> UInt8:
    """(H, W, 3) photo of the room."""
    focal, cx, cy, _ = CAMERA.params
    # pixel centres lie at +0.5 in the camera model and at whole numbers for OpenCV
    k = np.array([[focal, 0, cx - 0.5], [0, focal, cy - 0.5], [0, 0, 1]])
    picture = np.full((SIZE[1], SIZE[0]), 60, np.uint8)
    for seed, (corner, right, down) in enumerate(PLANES):
        plane = np.column_stack([right / TEXTURE_SIDE, down / TEXTURE_SIDE, corner])
        in_cam = pose.rotation @ plane
        in_cam[:, 2] += pose.translation
        rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(float)
        on_plane = pixels @ np.linalg.inv(k @ in_cam).T
        u, v = (on_plane[..., i] / on_plane[..., 2] for i in (0, 1))
        # depth in front of the camera: in_cam @ (u, v, 1) has positive z
        ahead = in_cam[2, 0] * u + in_cam[2, 1] * v + in_cam[2, 2] > 0.1
        seen = ahead & (u >= 0) & (v >= 0) & (u < TEXTURE_SIDE - 1) & (v < TEXTURE_SIDE - 1)
        drawn = cv2.remap(
            _texture(seed), u.astype(np.float32), v.astype(np.float32), cv2.INTER_AREA
        )
        picture[seen] = drawn[seen]
    return np.repeat(picture[..., None], 3, axis=2)


def _texture(seed: int) -> UInt8:
    """Blobs of several sizes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.float32)
    for cells in (12, 30, 70, 150):
        noise = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(noise, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 45 * total, 0, 255).astype(np.uint8)


def write_room(folder: Path, names: Mapping[str, Rigid3]) -> SfmModel:
    """Write photos, and return the model of their cameras and poses."""
    for name, pose in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render(pose)).save(path)
    return posed_model(dict.fromkeys(names, CAMERA), names)
