"""Landmarks as the joint least squares of rays and measured depths.

Each observation of a landmark gives a ray, and where depth was measured also a distance along the
optical axis. Rays of a wide baseline fix a point better than any sensor, depth fixes those of a
narrow one; least squares weighs each by its variance. Losses are Cauchy's, so that a wrong match or
a depth behind glass does not pull a point away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam, pixel_differences, projection_jacobian
from hloc_lite.types import Bool, Camera, Float64, Int64, Rigid3

NUM_STEPS = 8
"""Gauss-Newton steps: points move little after five."""
LOSS_SIGMAS = 2.4
"""Scale of Cauchy's loss: 95 % efficient for normal errors (Holland and Welsch 1977)."""
DAMPING = 1e-9
"""Share of the mean information that is added to each axis, so that a matrix can be inverted."""


@dataclass(frozen=True, eq=False)
class PosedCameras:
    """Cameras and poses of I images, in the order that observations count them."""

    cameras: Sequence[Camera]
    cams_from_world: Sequence[Rigid3]

    def in_cam(self, image_idxs: Int64, xyz: Float64) -> Float64:
        """(O, 3) points in the frames of the images that observe them."""
        rotations = np.array([pose.rotation for pose in self.cams_from_world]).reshape(-1, 3, 3)
        translations = np.array([pose.translation for pose in self.cams_from_world]).reshape(-1, 3)
        turned = np.einsum("oij,oj->oi", rotations[image_idxs], xyz)
        return np.asarray(turned + translations[image_idxs])

    def groups(self, image_idxs: Int64) -> list[tuple[Camera, Int64]]:
        """Each camera with the observations that its images make."""
        numbers: dict[int, int] = {}
        of_image = [numbers.setdefault(id(camera), len(numbers)) for camera in self.cameras]
        of_observation = np.array(of_image, np.int64)[image_idxs]
        first: Mapping[int, Camera] = {
            number: camera for number, camera in zip(of_image, self.cameras, strict=True)
        }
        found = ((first[number], np.flatnonzero(of_observation == number)) for number in first)
        return [(camera, rows) for camera, rows in found if len(rows)]


@dataclass(frozen=True, eq=False)
class DepthObservations:
    """O observations of landmarks, with the measured depth where there is one."""

    landmark_idxs: Int64
    """(O,)"""
    image_idxs: Int64
    """(O,) rows of ``PosedCameras``."""
    keypoint_idxs: Int64
    """(O,) rows of the image's keypoints."""
    points2D: Float64
    """(O, 2) pixels."""
    sigmas_px: Float64
    """(O,) standard deviations of ``points2D`` along each axis."""
    z: Float64
    """(O,) measured depths, map units; NaN where there is none."""
    z_sigmas: Float64
    """(O,) their standard deviations; NaN where there is none."""

    def __len__(self) -> int:
        return len(self.landmark_idxs)

    @classmethod
    def concatenate(cls, parts: Sequence[DepthObservations]) -> DepthObservations:
        """The observations of several sets, in order."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def subset(self, rows: Bool | Int64) -> DepthObservations:
        """The observations that a mask or index array selects."""
        return DepthObservations(
            self.landmark_idxs[rows],
            self.image_idxs[rows],
            self.keypoint_idxs[rows],
            self.points2D[rows],
            self.sigmas_px[rows],
            self.z[rows],
            self.z_sigmas[rows],
        )


@dataclass(frozen=True, eq=False)
class RefinedLandmarks:
    """M landmarks after a fit."""

    xyz: Float64
    """(M, 3) world, map units."""
    covariances: Float64
    """(M, 3, 3) of ``xyz``, map units squared."""
    errors_px: Float64
    """(O,) reprojection error of each observation; infinite behind a camera."""
    z: Float64
    """(O,) depth of the landmark in the image of each observation."""

    @property
    def sigmas(self) -> Float64:
        """(M,) standard deviation of each landmark along its least certain direction."""
        return np.asarray(np.sqrt(np.linalg.eigvalsh(self.covariances)[:, -1]))


def refine_landmarks(
    start: Float64,
    observations: DepthObservations,
    images: PosedCameras,
    *,
    num_steps: int = NUM_STEPS,
) -> RefinedLandmarks:
    """Fit M landmarks to their observations.

    Args:
        start: (M, 3) world.
        num_steps: 0 keeps the points and computes their covariances only.
    """
    xyz = np.array(start, np.float64)
    for _ in range(num_steps):
        information, gradient, _, _ = _normal_equations(xyz, observations, images)
        step = np.linalg.solve(_invertible(information), gradient[..., None])[..., 0]
        xyz += np.where(np.isfinite(step), step, 0.0)
    information, _, errors, z = _normal_equations(xyz, observations, images)
    covariances: Float64 = np.asarray(np.linalg.inv(_invertible(information)), np.float64)
    return RefinedLandmarks(xyz, covariances, errors, z)


def _normal_equations(
    xyz: Float64, observations: DepthObservations, images: PosedCameras
) -> tuple[Float64, Float64, Float64, Float64]:
    """Information (M, 3, 3), gradient (M, 3), errors in pixels (O,) and depths (O,)."""
    owners, of_image = observations.landmark_idxs, observations.image_idxs
    in_cam = images.in_cam(of_image, xyz[owners])
    projected, jacobian = np.empty((len(owners), 2)), np.empty((len(owners), 2, 3))
    for camera, rows in images.groups(of_image):
        pixels = img_from_cam(camera, in_cam[rows])
        projected[rows] = pixel_differences(camera, pixels, observations.points2D[rows])
        jacobian[rows] = projection_jacobian(camera, in_cam[rows])
    rotations = np.array([pose.rotation for pose in images.cams_from_world]).reshape(-1, 3, 3)
    rotations = rotations[of_image]
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.linalg.norm(projected, axis=1)
        seen = np.isfinite(errors) & np.isfinite(jacobian).all(axis=(1, 2))
        weights = _cauchy(errors / observations.sigmas_px) / np.square(observations.sigmas_px)
        misfit = (in_cam[:, 2] - observations.z) / observations.z_sigmas
        z_weights = _cauchy(misfit) / np.square(observations.z_sigmas)
    weights, measured = np.where(seen, weights, 0.0), np.isfinite(z_weights)
    residuals = np.zeros((len(owners), 3))
    residuals[:, :2] = np.where(seen[:, None], projected, 0.0)
    residuals[:, 2] = np.where(measured, in_cam[:, 2] - observations.z, 0.0)
    rows3 = np.zeros((len(owners), 3, 3))
    rows3[:, :2] = np.where(seen[:, None, None], jacobian @ rotations, 0.0)
    rows3[:, 2] = rotations[:, 2]
    scale = np.stack([weights, weights, np.where(measured, z_weights, 0.0)], axis=1)
    weighted = rows3 * scale[..., None]
    information = _sum_rows(np.einsum("oki,okj->oij", weighted, rows3), owners, len(xyz))
    gradient = -_sum_rows(np.einsum("oki,ok->oi", weighted, residuals), owners, len(xyz))
    return information, gradient, np.where(seen, errors, np.inf), in_cam[:, 2]


def _cauchy(residuals: Float64) -> Float64:
    return np.asarray(1 / (1 + np.square(residuals / LOSS_SIGMAS)))


def _sum_rows(values: Float64, owners: Int64, size: int) -> Float64:
    """Sum of the rows of each owner."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    columns = [np.bincount(owners, column, size) for column in flat.T]
    sums: Float64 = np.stack(columns, axis=1, dtype=np.float64)
    return sums.reshape(size, *values.shape[1:])


def _invertible(information: Float64) -> Float64:
    mean = np.trace(information, axis1=1, axis2=2) / 3
    return information + (DAMPING * mean + 1e-12)[:, None, None] * np.eye(3)
