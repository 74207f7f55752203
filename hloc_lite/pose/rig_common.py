"""What every estimator for rigs does around its RANSAC: checks, refinement, result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.errors import ShapeError
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.pose.common import (
    bounds_px,
    chances,
    credence,
    distinct_inliers,
    max_error_px,
    noise_of,
    posterior_odds,
)
from hloc_lite.pose.rig_refine import RigObservations, refine_rig
from hloc_lite.types import Correspondences, Float64, Rig, RigCamera, Rigid3, RigPoseEstimate


def check_lengths(correspondences: Sequence[Correspondences], rig: Rig) -> None:
    """Raises ShapeError if there are not as many correspondences as cameras."""
    if len(correspondences) != len(rig):
        raise ShapeError(
            f"a rig needs correspondences for each of its cameras (empty ones where there are "
            f"none): got {len(correspondences)} for {len(rig)} cameras"
        )


def centered(rig: Rig) -> tuple[Rig, Float64]:
    """The rig in a frame whose origin is the mean of its camera centres, so that neither rounding
    nor refinement depends on where the given one is; and that (3,) origin in the given frame."""
    origin = np.mean([each.cam_from_rig.center for each in rig.cameras], axis=0)
    shift = Rigid3(np.eye(3), origin)
    cameras = tuple(
        RigCamera(each.camera, each.cam_from_rig.compose(shift)) for each in rig.cameras
    )
    return Rig(cameras), origin


def from_centered(found: RigPoseEstimate, origin: Float64) -> RigPoseEstimate:
    """An estimate for a ``centered`` rig in the given frame."""
    pose = Rigid3(np.eye(3), origin).compose(found.rig_from_world)
    covariance = found.covariance
    if covariance is not None:
        # turning about the centre moves the given origin
        adjoint = np.eye(6)
        adjoint[3:, :3] = cross_matrices(origin)
        covariance = adjoint @ covariance @ adjoint.T
    return RigPoseEstimate(pose, found.inlier_masks, found.num_trials, covariance)


def pixel_scales(rig: Rig, config: PoseConfig) -> tuple[float, ...]:
    """For each camera the factor that makes its inlier bound the first camera's: errors of cameras
    of different resolution then count alike."""
    bounds = [max_error_px(each.camera, config) for each in rig.cameras]
    return tuple(bounds[0] / bound for bound in bounds)


def finish_rig(
    correspondences: Sequence[Correspondences],
    rig: Rig,
    pose: Rigid3,
    config: PoseConfig,
    num_trials: int,
) -> RigPoseEstimate | None:
    """Refine RANSAC's pose on its inliers, count these again, refine once more.

    Args:
        correspondences: of each camera, without those that say nothing (``usable_rows``).

    Returns:
        None if fewer than ``config.rig_min_inliers`` are left.
    """
    scales = pixel_scales(rig, config)
    counts = tuple(len(each) for each in correspondences)
    points2D = np.concatenate([each.points2D for each in correspondences])
    points3D = np.concatenate([each.points3D for each in correspondences])
    observations = RigObservations(rig, counts, points2D, points3D, scales)
    weights = np.concatenate([each.weights for each in correspondences])
    pixels = [
        bounds_px(of_camera, each.camera, config)
        for of_camera, each in zip(correspondences, rig.cameras, strict=True)
    ]
    bounds = np.concatenate([scale * each for scale, each in zip(scales, pixels, strict=True)])
    chance = np.concatenate(
        [
            chances(of_camera, each.camera)
            for of_camera, each in zip(pixels, rig.cameras, strict=True)
        ]
    )
    trust = credence(posterior_odds(weights, chance, config))
    errors = _errors(observations, pose)
    mask = errors <= bounds
    covariance = None
    for roughly in (True, False):
        if np.count_nonzero(mask) < config.rig_min_inliers:
            return None
        loss = config.refine_loss_sigmas * noise_of(errors[mask], weights[mask])
        pose, covariance = refine_rig(
            observations.subset(mask),
            pose,
            loss,
            trust[mask],
            roughly=roughly,
        )
        errors = _errors(observations, pose)
        mask = errors <= bounds
    masks = tuple(np.split(mask, np.cumsum(counts)[:-1]))
    # the same point in two cameras was seen twice
    distinct = sum(map(distinct_inliers, correspondences, masks))
    if distinct < config.rig_min_inliers:
        return None
    return RigPoseEstimate(pose, masks, num_trials, covariance)


def _errors(observations: RigObservations, pose: Rigid3) -> Float64:
    """(K,) scaled pixels; NaN where a point cannot be seen."""
    with np.errstate(invalid="ignore", over="ignore"):
        dx, dy = observations.residuals(pose)
        return np.asarray(np.sqrt(dx * dx + dy * dy))
