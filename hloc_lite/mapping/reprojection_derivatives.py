"""Derivatives of all reprojections of an SfM model by its poses, intrinsics and points.

The unknowns of cameras are first six of each image (w, d), which change its pose to
``exp(w) R, exp(w) t + d``, then the intrinsics of each camera. Those of points are ``xyz``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hloc_lite.geometry.cameras import get_camera_model, img_from_cam, projection_jacobian
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Camera, Float64, Int64


@dataclass(frozen=True, eq=False)
class ReprojectionDerivatives:
    """Residuals of the K observations of a model, and their derivatives by P + 3 M unknowns."""

    residuals: Float64
    """(2 K,) projected minus measured, pixels."""
    by_cameras: Any
    """(2 K, P) sparse."""
    by_points: Any
    """(2 K, 3 M) sparse."""
    image_rows: Int64
    """(2 K,) row in ``model.images`` of each residual."""
    intrinsics: Mapping[int, list[int]]
    """Camera id -> columns of its intrinsics: focal lengths and distortion, then the two of the
    principal point."""

    @property
    def num_unknowns(self) -> int:
        """P, unknowns of cameras."""
        return int(self.by_cameras.shape[1])


def reprojection_derivatives(model: SfmModel) -> ReprojectionDerivatives:
    """Compute residuals and derivatives of all observations that project into their image."""
    intrinsics, size = _intrinsic_columns(model)
    residuals, image_rows, by_cameras, by_points = [], [], [], []
    for row, image in enumerate(model.images):
        camera = model.cameras[image.camera_id]
        residual, in_cam, points = _residuals(model, image, camera)
        jacobian = projection_jacobian(camera, in_cam)
        by_pose = np.concatenate([-jacobian @ cross_matrices(in_cam), jacobian], axis=2)
        values = np.concatenate([by_pose, _by_intrinsics(camera, in_cam)], axis=2)
        own = np.array([*range(6 * row, 6 * row + 6), *intrinsics[image.camera_id]])
        axes = 3 * points[:, None, None] + np.arange(3)
        by_point = jacobian @ image.cam_from_world.rotation
        residuals.append(residual.ravel())
        image_rows.append(np.full(residual.size, row))
        by_cameras.append((values, np.broadcast_to(own, values.shape)))
        by_points.append((by_point, np.broadcast_to(axes, by_point.shape)))
    return ReprojectionDerivatives(
        np.concatenate(residuals),
        _stacked(by_cameras, size),
        _stacked(by_points, 3 * model.num_points),
        np.concatenate(image_rows),
        intrinsics,
    )


def free_parameters(camera: Camera) -> list[int]:
    """Indices of all parameters of a camera, those of the principal point at the end."""
    layout = get_camera_model(camera)
    center = range(layout.num_focals, layout.extra_start)
    return [*range(layout.num_focals), *range(layout.extra_start, layout.num_params), *center]


def _intrinsic_columns(model: SfmModel) -> tuple[dict[int, list[int]], int]:
    """Columns of the intrinsics of each camera, and the number of all columns."""
    column = 6 * len(model.images)
    columns: dict[int, list[int]] = {}
    for camera_id in sorted({image.camera_id for image in model.images}):
        count = len(free_parameters(model.cameras[camera_id]))
        columns[camera_id] = list(range(column, column + count))
        column += count
    return columns, column


def _residuals(model: SfmModel, image: SfmImage, camera: Camera) -> tuple[Float64, Float64, Int64]:
    """(K, 2) residuals of an image, (K, 3) its points in the camera frame, and their rows."""
    seen = np.flatnonzero(image.point3D_idxs != NO_POINT)
    points = image.point3D_idxs[seen]
    in_cam = image.cam_from_world.apply(model.xyz[points])
    residual = img_from_cam(camera, in_cam) - keypoints_of(model, image)[seen]
    good = np.isfinite(residual).all(axis=1)
    return residual[good], in_cam[good], points[good]


def _by_intrinsics(camera: Camera, in_cam: Float64) -> Float64:
    """(K, 2, F) derivatives of projections by the parameters of a camera: central differences."""
    free = free_parameters(camera)
    derivatives = np.zeros((len(in_cam), 2, len(free)))
    for column, parameter in enumerate(free):
        step = 1e-4 * max(1.0, abs(float(camera.params[parameter])))
        ends = []
        for sign in (1, -1):
            params = camera.params.copy()
            params[parameter] += sign * step
            ends.append(img_from_cam(replace(camera, params=params), in_cam))
        derivatives[:, :, column] = np.nan_to_num((ends[0] - ends[1]) / (2 * step))
    return derivatives


def _stacked(blocks: list[tuple[Float64, Int64]], width: int) -> Any:
    """Sparse matrix of (K, 2, F) values, one block of rows per image, in the given columns."""
    values = np.concatenate([block.ravel() for block, _ in blocks])
    columns = np.concatenate([block.ravel() for _, block in blocks])
    lengths = np.concatenate([np.full(2 * len(v), v.shape[2]) for v, _ in blocks])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((values, columns, starts), shape=(len(lengths), width))
