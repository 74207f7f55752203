"""Uncertainty of the cameras of an SfM model, by the covariance of its bundle adjustment.

Poses, points, focal lengths and distortion are unknowns, all determined by the same observations;
points are eliminated by the Schur complement (Triggs et al., Bundle Adjustment: A Modern Synthesis,
1999). Matches that are wrong in the same way, and lenses that the camera model does not describe,
give errors that are alike all over an image. The robust covariance for clusters (Liang and Zeger
1986), with the images as clusters, tells what these do; both are added.

A model from photos has no frame of its own: uncertainties are those that remain after a similarity
transform that aligns all camera centres with the truth. Where these are nearly on one line, they
leave the turn about it open, and the rotations of the cameras decide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.mapping.reprojection_derivatives import (
    ReprojectionDerivatives,
    reprojection_derivatives,
)
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64

CENTER_SIGMA_SHARE = 0.01
"""Standard deviation of the principal point from the image centre, as a share of the longer side;
those of five real cameras are 0 to 1.9 % off."""


ALIGNMENT_LEVER = 0.1
"""Weight of rotations in that alignment: 1 rad counts as this share of the spread of the cameras.
Rotations decide what centres within a few percent of one line leave open, and hardly anything
else."""


@dataclass(frozen=True, eq=False)
class CameraUncertainty:
    """Standard deviations of the cameras of a model, in the order of its images."""

    position: Float64
    """(I,) map units, all three axes together."""
    rotation_deg: Float64
    """(I,)."""
    sigma_px: float
    """Standard deviation of the keypoints that the residuals show."""


def camera_uncertainty(model: SfmModel) -> CameraUncertainty | None:
    """Compute the uncertainty of all cameras; None if the observations do not determine them.

    Args:
        model: a model at a minimum of its reprojection errors.
    """
    if len(model.images) < 2 or model.num_points == 0:
        return None
    found = reprojection_derivatives(model)
    size = found.num_unknowns
    redundancy = len(found.residuals) - (size - 7 + 3 * model.num_points)
    if redundancy <= 0:
        return None
    variance = float(np.square(found.residuals).sum()) / redundancy
    inverse = _point_inverse(found)
    cross = found.by_cameras.T @ found.by_points
    normal = _dense(found.by_cameras.T @ found.by_cameras - cross @ inverse @ cross.T)
    _add_center_priors(normal, model, found, variance)
    solve = _solver(normal, _gauge(model, size))
    if solve is None:
        return None
    gradients = _image_gradients(found, inverse, cross, len(model.images))

    def deviations(weights: Float64) -> Float64:
        errors = _aligned_errors(model, size, weights)
        solved = solve(errors.T)
        independent = variance * np.einsum("ij,ji->i", errors, solved)
        by_image = np.square(gradients @ solved).sum(axis=0)
        per_axis = np.sqrt(np.maximum(independent, 0) + by_image)
        return np.asarray(np.linalg.norm(per_axis.reshape(2, -1, 3), axis=2), np.float64)

    position, _ = deviations(np.ones(len(model.images)))
    # uncertain cameras shall not move the others: a robust alignment would not let them either
    weights = 1 / np.maximum(position, np.median(position)) ** 2
    position, rotation = deviations(weights / weights.max())
    return CameraUncertainty(position, np.rad2deg(rotation), float(np.sqrt(variance)))


def _dense(matrix: Any) -> Float64:
    return np.asarray(matrix.todense(), np.float64)


def _point_inverse(found: ReprojectionDerivatives) -> Any:
    """(3 M, 3 M) sparse inverse of the points' part of the normal matrix: blocks of three."""
    size = found.by_points.shape[1]
    normal = (found.by_points.T @ found.by_points).tocoo()
    blocks = np.zeros((size // 3, 3, 3))
    blocks[normal.row // 3, normal.row % 3, normal.col % 3] = normal.data
    trace = np.trace(blocks, axis1=1, axis2=2)[:, None, None]
    # a point that no image observes has a zero block
    inverse = np.linalg.inv(blocks + np.eye(3) * (1e-12 * trace + (trace == 0)))
    columns = 3 * np.arange(size // 3)[:, None, None] + np.tile(np.arange(3), (3, 1))
    return csr_matrix((inverse.ravel(), columns.ravel(), 3 * np.arange(size + 1)))


def _add_center_priors(
    normal: Float64, model: SfmModel, found: ReprojectionDerivatives, variance: float
) -> None:
    """Add what is known about principal points: COLMAP leaves them at the image centre."""
    for camera_id, columns in found.intrinsics.items():
        camera = model.cameras[camera_id]
        sigma = CENTER_SIGMA_SHARE * max(camera.width, camera.height)
        normal[columns[-2:], columns[-2:]] += variance / sigma**2


def _solver(normal: Float64, gauge: Float64) -> Any:
    """Function that multiplies by an inverse of the normal matrix; None if there is none.

    Args:
        normal: (P, P), singular in the directions of the gauge.
        gauge: (P, 7).
    """
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    fixed = np.linalg.qr(gauge / scale[:, None])[0]
    scaled = normal * scale[:, None] * scale + fixed @ fixed.T
    scaled[np.diag_indices(len(scaled))] += 1e-12  # no direction is without any information
    if not np.isfinite(scaled).all():
        return None
    try:
        factor = cho_factor(scaled, lower=True)
    except np.linalg.LinAlgError:
        return None

    def solve(right: Float64) -> Float64:
        by_column = scale.reshape(-1, *[1] * (right.ndim - 1))
        return np.asarray(cho_solve(factor, right * by_column) * by_column, np.float64)

    return solve


def _image_gradients(
    found: ReprojectionDerivatives, inverse: Any, cross: Any, num_images: int
) -> Float64:
    """(I, P) part of each image in the gradient of the reduced problem; the sum vanishes."""
    rows = np.arange(len(found.residuals))
    shape = (num_images, len(rows))
    per_image = csr_matrix((found.residuals, (found.image_rows, rows)), shape=shape)
    through_points = (per_image @ found.by_points) @ inverse @ cross.T
    return _dense(per_image @ found.by_cameras - through_points)


def _gauge(model: SfmModel, size: int) -> Float64:
    """(P, 7) changes of the unknowns that move, turn or scale the whole model."""
    gauge = np.zeros((size, 7))
    for row, image in enumerate(model.images):
        own = slice(6 * row, 6 * row + 6)
        rotation, translation = image.cam_from_world.rotation, image.cam_from_world.translation
        gauge[own, :3] = np.concatenate([np.zeros((3, 3)), -rotation])
        turned = cross_matrices(translation[None])[0] @ -rotation
        gauge[own, 3:6] = np.concatenate([-rotation, turned])
        gauge[own, 6] = np.concatenate([np.zeros(3), translation])
    return gauge


def _aligned_errors(model: SfmModel, size: int, weights: Float64) -> Float64:
    """(6 I, P) errors of centres, then of rotations, by the unknowns, after their alignment.

    To first order the alignment is the least-squares similarity of the camera centres, with (I,)
    weights of their squares, and of the rotations by ``ALIGNMENT_LEVER``.
    """
    count = len(model.images)
    centres = np.array([image.cam_from_world.center for image in model.images])
    centres = centres - centres.mean(axis=0)
    moved, turned = np.zeros((3 * count, size)), np.zeros((3 * count, size))
    similarity, turn = np.zeros((3 * count, 7)), np.zeros((3 * count, 7))
    for row, image in enumerate(model.images):
        own, column = slice(3 * row, 3 * row + 3), 6 * row
        world_from_cam = image.cam_from_world.rotation.T
        moved[own, column + 3 : column + 6] = -world_from_cam
        # exp(w) R is R exp(R^T w): the camera turns by -R^T w in the world, up to the sign
        turned[own, column : column + 3] = -world_from_cam
        similarity[own, :3] = np.eye(3)
        similarity[own, 3:6] = -cross_matrices(centres[row][None])[0]
        similarity[own, 6] = centres[row]
        turn[own, 3:6] = np.eye(3)
    root = np.sqrt(np.repeat(weights, 3))[:, None]
    lever = ALIGNMENT_LEVER * float(np.linalg.norm(centres, axis=1).mean())
    both = np.concatenate([root * similarity, lever * root * turn])
    errors = np.concatenate([root * moved, lever * root * turned])
    alignment = np.linalg.pinv(both, rcond=1e-9) @ errors
    return np.concatenate([moved - similarity @ alignment, turned - turn @ alignment])
