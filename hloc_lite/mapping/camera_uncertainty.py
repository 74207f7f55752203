"""Uncertainty of the cameras of an SfM model, by the covariance of its bundle adjustment.

Poses, points, focal lengths and distortion are unknowns, all determined by the same observations.
Points are eliminated by the Schur complement (Triggs et al., Bundle Adjustment: A Modern Synthesis,
1999). A model from photos has no frame of its own: uncertainties are those that remain after a
similarity transform that aligns all camera centres with the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from hloc_lite.geometry.cameras import get_camera_model, img_from_cam, projection_jacobian
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Float64, Int64

CENTER_SIGMA_SHARE = 0.01
"""Standard deviation of the principal point from the image centre, as a share of the longer side:
of the real cases 0.2 to 1.3 %."""


@dataclass(frozen=True, eq=False)
class CameraUncertainty:
    """Standard deviations of the cameras of a model, in the order of its images."""

    position: Float64
    """(I,) map units, all three axes together."""
    rotation_deg: Float64
    """(I,)."""
    focal_share: Mapping[int, float]
    """Standard deviation of the focal length, as a share of it, by camera id."""
    sigma_px: float
    """Standard deviation of the keypoints that the residuals show."""


@dataclass(frozen=True, eq=False)
class _Observations:
    """Derivatives of all observations: K of them, with P unknowns of cameras."""

    by_camera: Any
    """(2K, P) sparse."""
    by_point: Any
    """(2K, 3M) sparse."""
    residuals: Float64
    """(2K,) pixels."""


def camera_uncertainty(model: SfmModel) -> CameraUncertainty | None:
    """Compute the uncertainty of all cameras; None if the observations do not determine them.

    Args:
        model: a model with keypoints, at a minimum of its reprojection errors.
    """
    columns, size = _intrinsic_columns(model)
    observations = _observations(model, columns, size)
    num_unknowns = size - 7 + 3 * model.num_points
    redundancy = len(observations.residuals) - num_unknowns
    if redundancy <= 0:
        return None
    variance = float(np.square(observations.residuals).sum()) / redundancy
    normal = _reduced_normal_matrix(observations)
    for camera_id, own in columns.items():
        camera = model.cameras[camera_id]
        center_sigma = CENTER_SIGMA_SHARE * max(camera.width, camera.height)
        normal[own[-2:], own[-2:]] += variance / center_sigma**2
    gauge = _gauge(model, size)
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    scaled_gauge = np.linalg.qr(gauge / scale[:, None])[0]
    scaled = normal * scale[:, None] * scale + scaled_gauge @ scaled_gauge.T
    scaled[np.diag_indices(size)] += 1e-12  # so that no direction is without any information
    try:
        factor = cho_factor(scaled, lower=True)
    except np.linalg.LinAlgError:
        return None
    wanted = _aligned_errors(model, size)
    half = cho_solve(factor, (wanted * scale).T)
    spread = np.einsum("ij,ji->i", wanted * scale, half) * variance
    spread = np.sqrt(np.maximum(spread, 0)).reshape(2, -1, 3)
    position, rotation = np.linalg.norm(spread, axis=2)
    focal_share = {}
    for camera_id, own in columns.items():
        unit = np.zeros(size)
        unit[own[0]] = scale[own[0]]
        focal_variance = float(unit @ cho_solve(factor, unit)) * variance
        focal_share[camera_id] = float(np.sqrt(focal_variance)) / _focal(model.cameras[camera_id])
    return CameraUncertainty(position, np.rad2deg(rotation), focal_share, float(np.sqrt(variance)))


def _focal(camera: Camera) -> float:
    return float(camera.params[0])


def _intrinsic_columns(model: SfmModel) -> tuple[dict[int, list[int]], int]:
    """Columns of the unknown intrinsics of each camera, and the number of all columns.

    All but the principal point come first: COLMAP leaves that at the image centre.
    """
    column = 6 * len(model.images)
    columns: dict[int, list[int]] = {}
    for camera_id in sorted({image.camera_id for image in model.images}):
        count = len(_free_parameters(model.cameras[camera_id]))
        columns[camera_id] = list(range(column, column + count))
        column += count
    return columns, column


def _free_parameters(camera: Camera) -> list[int]:
    """Parameters that are unknown: focal lengths, distortion, and at the end the principal point."""
    layout = get_camera_model(camera)
    center = range(layout.num_focals, layout.extra_start)
    return [*range(layout.num_focals), *range(layout.extra_start, layout.num_params), *center]


def _observations(
    model: SfmModel, columns: Mapping[int, list[int]], size: int
) -> _Observations:
    camera_rows, camera_columns, camera_values = [], [], []
    point_rows, point_columns, point_values = [], [], []
    residuals = []
    first = 0
    for number, image in enumerate(model.images):
        camera = model.cameras[image.camera_id]
        by_pose, by_intrinsics, by_point, residual, points = _image_derivatives(
            model, image, camera
        )
        rows = first + np.arange(2 * len(points)).reshape(-1, 2, 1)
        own = np.array([*range(6 * number, 6 * number + 6), *columns[image.camera_id]])
        values = np.concatenate([by_pose, by_intrinsics], axis=2)
        camera_rows.append(np.broadcast_to(rows, values.shape).ravel())
        camera_columns.append(np.broadcast_to(own, values.shape).ravel())
        camera_values.append(values.ravel())
        axes = 3 * points[:, None, None] + np.arange(3)
        point_rows.append(np.broadcast_to(rows, by_point.shape).ravel())
        point_columns.append(np.broadcast_to(axes, by_point.shape).ravel())
        point_values.append(by_point.ravel())
        residuals.append(residual.ravel())
        first += 2 * len(points)

    def matrix(values: list[Float64], rows: list[Int64], cols: list[Int64], width: int) -> Any:
        joined = (np.concatenate(rows), np.concatenate(cols))
        return csr_matrix((np.concatenate(values), joined), shape=(first, width))

    return _Observations(
        matrix(camera_values, camera_rows, camera_columns, size),
        matrix(point_values, point_rows, point_columns, 3 * model.num_points),
        np.concatenate(residuals),
    )


def _image_derivatives(
    model: SfmModel, image: SfmImage, camera: Camera
) -> tuple[Float64, Float64, Float64, Float64, Int64]:
    """Derivatives of the observations of an image by pose, intrinsics and point; residuals, points.

    The pose is changed by ``exp(w) R, exp(w) t + d`` with the six unknowns (w, d).
    """
    assert image.keypoints is not None
    seen = np.flatnonzero(image.point3D_idxs != NO_POINT)
    points = image.point3D_idxs[seen]
    in_cam = image.cam_from_world.apply(model.xyz[points])
    residual = img_from_cam(camera, in_cam) - image.keypoints[seen]
    jacobian = projection_jacobian(camera, in_cam)
    good = np.isfinite(residual).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
    points, in_cam, residual, jacobian = points[good], in_cam[good], residual[good], jacobian[good]
    by_pose = np.concatenate([-jacobian @ cross_matrices(in_cam), jacobian], axis=2)
    by_point = jacobian @ image.cam_from_world.rotation
    by_intrinsics = _intrinsic_derivatives(camera, in_cam)
    return by_pose, by_intrinsics, by_point, residual, points


def _intrinsic_derivatives(camera: Camera, in_cam: Float64) -> Float64:
    """(K, 2, F) derivatives of projections by the free intrinsics, as central differences."""
    free = _free_parameters(camera)
    derivatives = np.zeros((len(in_cam), 2, len(free)))
    for column, parameter in enumerate(free):
        step = 1e-4 * max(1.0, abs(float(camera.params[parameter])))
        changed = []
        for sign in (1, -1):
            params = camera.params.copy()
            params[parameter] += sign * step
            each = Camera(camera.model, camera.width, camera.height, params)
            changed.append(img_from_cam(each, in_cam))
        derivatives[:, :, column] = np.nan_to_num((changed[0] - changed[1]) / (2 * step))
    return derivatives


def _reduced_normal_matrix(observations: _Observations) -> Float64:
    """(P, P) normal matrix of the cameras after elimination of the points."""
    by_camera, by_point = observations.by_camera, observations.by_point
    blocks = (by_point.T @ by_point).tobsr((3, 3))
    num_points = by_point.shape[1] // 3
    dense = np.zeros((num_points, 3, 3))
    for row in range(num_points):
        start, end = blocks.indptr[row], blocks.indptr[row + 1]
        if end > start:
            dense[row] = blocks.data[start]
    size = np.trace(dense, axis1=1, axis2=2)[:, None, None]
    dense += np.eye(3) * (1e-12 * size + (size == 0))
    inverse = np.linalg.inv(dense)
    rows = np.repeat(np.arange(3 * num_points), 3)
    cols = (3 * np.arange(num_points)[:, None, None] + np.tile(np.arange(3), (3, 1))).ravel()
    inverse_blocks = csr_matrix((inverse.ravel(), (rows, cols)), shape=(3 * num_points,) * 2)
    cross = by_camera.T @ by_point
    reduced = by_camera.T @ by_camera - cross @ inverse_blocks @ cross.T
    return np.asarray(reduced.todense(), np.float64)


def _gauge(model: SfmModel, size: int) -> Float64:
    """(P, 7) changes of the unknowns that move, turn or scale the whole model."""
    gauge = np.zeros((size, 7))
    for number, image in enumerate(model.images):
        rows = slice(6 * number, 6 * number + 6)
        rotation, translation = image.cam_from_world.rotation, image.cam_from_world.translation
        gauge[rows, :3] = np.concatenate([np.zeros((3, 3)), -rotation])
        turned = cross_matrices(translation[None])[0] @ -rotation
        gauge[rows, 3:6] = np.concatenate([-rotation, turned])
        gauge[rows, 6] = np.concatenate([np.zeros(3), translation])
    return gauge


def _aligned_errors(model: SfmModel, size: int) -> Float64:
    """(6 I, P) errors of centres, then of rotations, by the unknowns, after alignment of centres.

    To first order the alignment is the least-squares similarity of the camera centres.
    """
    count = len(model.images)
    centres = np.array([image.cam_from_world.center for image in model.images])
    centres = centres - centres.mean(axis=0)
    moved, turned = np.zeros((3 * count, size)), np.zeros((3 * count, size))
    similarity, own_turn = np.zeros((3 * count, 7)), np.zeros((3 * count, 7))
    for number, image in enumerate(model.images):
        rows = slice(3 * number, 3 * number + 3)
        world_from_cam = image.cam_from_world.rotation.T
        moved[rows, 6 * number + 3 : 6 * number + 6] = -world_from_cam
        turned[rows, 6 * number : 6 * number + 3] = -world_from_cam
        similarity[rows, :3] = np.eye(3)
        similarity[rows, 3:6] = -cross_matrices(centres[number][None])[0]
        similarity[rows, 6] = centres[number]
        own_turn[rows, 3:6] = np.eye(3)
    alignment = np.linalg.pinv(similarity, rcond=1e-9) @ moved
    return np.concatenate([moved - similarity @ alignment, turned - own_turn @ alignment])
