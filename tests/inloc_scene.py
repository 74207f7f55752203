"""Two floors in InLoc's layout, exact: walls at the same coordinates with other paint on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3

SIZE, DISTANCE, SIDE = (320, 240), 4.0, 9.0
FOCAL = 320 * 28 / 36
CAMERA = Camera("SIMPLE_PINHOLE", *SIZE, np.array([FOCAL, 160.0, 120.0]))
NUM_MAP, NUM_QUERIES = 8, 4


def two_floors(folder: Path) -> Dataset:
    """Even photos show the first floor, odd ones the second; with depth of the map images."""
    rng = np.random.default_rng(1)
    walls = [_paint(seed) for seed in (7, 8)]
    shifts = np.linspace(-1.2, 1.2, NUM_MAP // 2)
    poses: dict[str, Rigid3] = {}
    for row in range(NUM_MAP):
        poses[f"map/{row:04d}.jpg"] = pose_at(rng, shifts[row // 2])
    for row in range(NUM_QUERIES):
        poses[f"query/{row:04d}.jpg"] = pose_at(rng, rng.uniform(-0.8, 0.8))
    for name, pose in poses.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wall = walls[int(name[-8:-4]) % 2]
        Image.fromarray(_photo(wall, pose)).save(path, quality=95)
        depth = folder / "depth" / f"{name}.png"
        depth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(1000 * _depth(pose)).astype(np.uint16)).save(depth)
    mapped = {name: pose for name, pose in poses.items() if name.startswith("map")}
    asked = {name: pose for name, pose in poses.items() if name.startswith("query")}
    return Dataset(
        name="floors", image_folder=folder / "images", map_image_names=tuple(mapped),
        reference=posed_model(dict.fromkeys(mapped, CAMERA), mapped), is_metric=True,
        queries={"all": dict.fromkeys(asked, CAMERA)}, ground_truth={"all": asked},
        depth_folder=folder / "depth",
    )  # fmt: skip


def pose_at(rng: np.random.Generator, x: float) -> Rigid3:
    rotation = exp_so3(rng.uniform(-0.08, 0.08, 3))
    return Rigid3(rotation, -rotation @ np.array([x, *rng.uniform(-0.3, 0.3, 2)]))


def _paint(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse, fine = (
        cv2.resize(
            rng.integers(0, 256, (n, n, 3), np.uint8), (900, 900), interpolation=cv2.INTER_CUBIC
        )
        for n in (40, 150)
    )
    return cv2.addWeighted(coarse, 0.6, fine, 0.4, 0)


def _photo(wall: np.ndarray, pose: Rigid3) -> np.ndarray:
    """Exact photo of a wall at z = DISTANCE, by its homography."""
    scale = SIDE / len(wall)
    world_from_texel = np.array(
        [[scale, 0, -SIDE / 2], [0, scale, -SIDE / 2], [0, 0, DISTANCE]], np.float64
    )
    intrinsics = np.array([[FOCAL, 0, 160.0], [0, FOCAL, 120.0], [0, 0, 1.0]])
    # texel (u, v) -> R X + t with the last column of X = 1
    plane = pose.rotation @ world_from_texel + np.outer(pose.translation, [0, 0, 1])
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV's pixels are centred on 0
    homography = np.linalg.inv(corner) @ intrinsics @ plane @ corner
    return cv2.warpPerspective(wall, homography, SIZE, flags=cv2.INTER_AREA)


def _depth(pose: Rigid3) -> np.ndarray:
    """Depth of the wall along the optical axis at the centres of pixels."""
    columns, rows = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    rays = np.stack([(columns - 160) / FOCAL, (rows - 120) / FOCAL, np.ones_like(rows)], axis=-1)
    return (DISTANCE - pose.center[2]) / (rays @ pose.rotation)[..., 2]
