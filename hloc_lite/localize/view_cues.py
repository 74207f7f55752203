"""Weights of the places in a view: passers-by, surface normals, semantic labels (Taira 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.config import DepthConfig, SemanticsConfig
from hloc_lite.consistency.depth_maps import without_edges
from hloc_lite.consistency.labels import LabelWindows, class_ids, is_class, pixel_indices
from hloc_lite.consistency.semantic_check import label_agreement
from hloc_lite.geometry.cameras import cam_from_img, img_from_cam
from hloc_lite.localize.dense_features import Grid
from hloc_lite.types import Camera, DepthMap, Float32, Float64, RenderedView, Rigid3, UInt8

NORMAL_STEP_PX = 2
"""Normals of predicted depth come from differences over twice as many pixels of the view."""


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """Points of the map whose semantic label is known and lasts."""

    xyz: Float64
    """(L, 3) world, map units."""
    labels: UInt8
    """(L,) train ids."""


def lasting_points(xyz: Float64, labels: UInt8, config: SemanticsConfig) -> LabelledPoints:
    """Those of (M, 3) points whose label is that of a lasting class."""
    kept = is_class(labels) & ~np.isin(labels, class_ids(config.unstable))
    return LabelledPoints(xyz[kept], labels[kept])


def static_weights(
    windows: LabelWindows, grid: Grid, scale: float, config: SemanticsConfig
) -> Float64:
    """(C,) 0 for the places of a photo that show people, cars and the like; 1 for others.

    Args:
        scale: size of the grid's image over that of the photo.
    """
    rows, columns = pixel_indices(windows.label_map, grid.points() / scale)
    unstable = np.isin(windows.label_map.labels[rows, columns], class_ids(config.unstable))
    return np.where((rows >= 0) & unstable, 0.0, 1.0)


def normals_of_depth(depth_map: DepthMap, camera: Camera, config: DepthConfig) -> Float32:
    """(H, W, 3) unit normals of a depth map in the camera frame, towards the camera.

    NaN where the depth is unknown and at its edges. The unit of depths does not matter.

    Args:
        camera: camera of the size that the normals are wanted at.
    """
    depths = without_edges(depth_map, config.max_relative_gradient).depths
    size = (camera.width, camera.height)
    # NaN spreads, as it should
    depths = np.asarray(cv2.resize(depths, size, interpolation=cv2.INTER_AREA), np.float32)
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    rays = cam_from_img(camera, np.stack([columns.ravel(), rows.ravel()], axis=1))
    xyz = np.empty((*depths.shape, 3))
    xyz[..., :2] = rays.reshape(*depths.shape, 2) * depths[..., None]
    xyz[..., 2] = depths
    step = NORMAL_STEP_PX
    right = np.full_like(xyz, np.nan)
    down = np.full_like(xyz, np.nan)
    right[:, step:-step] = xyz[:, 2 * step :] - xyz[:, : -2 * step]
    down[step:-step] = xyz[2 * step :] - xyz[: -2 * step]
    normals = np.cross(down, right)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return normals.astype(np.float32)


def normal_weights(expected: Float32, rendered: Float32) -> Float64:
    """(C,) cosine between (C, 3) normals, at least 0; 1 where one is unknown."""
    cosines = np.einsum("cd,cd->c", expected, rendered)
    return np.where(np.isfinite(cosines), np.clip(cosines, 0.0, 1.0), 1.0).astype(np.float64)


def label_consistency(
    points: LabelledPoints,
    windows: LabelWindows,
    view: RenderedView,
    camera: Camera,
    cam_from_world: Rigid3,
    grid: Grid,
    scale: float,
    depth_ratio: float,
    config: SemanticsConfig,
) -> Float64:
    """(C,) 0 for places where most labelled points in view contradict the photo's label, else 1.

    Args:
        camera: camera of the view, ``scale`` times the size of the photo.
        depth_ratio: points are in view if their depth is within this ratio of the view's.
    """
    in_cam = cam_from_world.apply(points.xyz)
    with np.errstate(invalid="ignore"):
        pixels = img_from_cam(camera, in_cam)
        inside = (in_cam[:, 2] > 0) & (pixels >= 0).all(axis=1)
        inside &= (pixels < [camera.width, camera.height]).all(axis=1)
    pixels, depths, labels = pixels[inside], in_cam[inside, 2], points.labels[inside]
    columns, rows = pixels.astype(np.int64).T
    with np.errstate(invalid="ignore"):
        in_view = np.abs(np.log(view.depth[rows, columns] / depths)) < np.log(depth_ratio)
    pixels, rows, columns = pixels[in_view], rows[in_view], columns[in_view]
    agreement = label_agreement(pixels / scale, windows, labels[in_view], config)
    known = np.isfinite(agreement)
    cells = _nearest(grid.rows, rows[known]) * len(grid.columns)
    cells += _nearest(grid.columns, columns[known])
    agrees = agreement[known] >= config.min_compatibility
    votes = np.bincount(cells, np.where(agrees, 1.0, -1.0), len(grid))
    return np.where(votes < 0, 0.0, 1.0)


def _nearest(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index of the nearest of evenly spaced numbers."""
    step = grid[1] - grid[0] if len(grid) > 1 else 1
    return np.clip(np.rint((values - grid[0]) / step), 0, len(grid) - 1).astype(np.int64)
