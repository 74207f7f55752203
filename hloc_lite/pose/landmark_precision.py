"""Weight of correspondences in a pose by how uncertain their landmarks are."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.camera_models import focal_and_center
from hloc_lite.types import Camera, Correspondences, Float64, Rigid3

MIN_PRECISION = 0.05
"""An uncertain landmark still counts a little: its standard deviation is itself an estimate."""


def landmark_precisions(
    correspondences: Correspondences, camera: Camera, cam_from_world: Rigid3, config: PoseConfig
) -> Float64 | None:
    """(K,) factors of the reprojection errors in (0, 1]; None if no landmark is uncertain.

    The standard deviation of an error is that of the keypoint and that of the landmark, seen from
    the camera: sqrt(keypoint^2 + (focal length * landmark / distance)^2). Errors are divided by it,
    relative to an exact landmark.
    """
    sigmas = correspondences.sigmas
    if sigmas is None:
        return None
    side = max(camera.width, camera.height)
    keypoint_px = config.keypoint_sigma_px * side / config.reference_side_px
    distances = np.linalg.norm(cam_from_world.apply(correspondences.points3D), axis=1)
    focal_px = float(np.mean(focal_and_center(camera)[0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        landmark_px = focal_px * sigmas / distances
        precisions = keypoint_px / np.hypot(keypoint_px, landmark_px)
    return np.asarray(np.clip(np.nan_to_num(precisions, nan=MIN_PRECISION), MIN_PRECISION, 1.0))
