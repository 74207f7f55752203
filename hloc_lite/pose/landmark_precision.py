"""Weight of correspondences in a pose by how uncertain their landmarks are."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import projection_jacobian
from hloc_lite.types import Camera, Correspondences, Float64, Rigid3

MIN_PRECISION = 0.05
"""An uncertain landmark still counts a little: its standard deviation is itself an estimate."""


def landmark_precisions(
    correspondences: Correspondences, camera: Camera, cam_from_world: Rigid3, config: PoseConfig
) -> Float64 | None:
    """(K,) factors of the reprojection errors in (0, 1]; None if no landmark is uncertain.

    The variance of an error is that of the keypoint and that of the landmark as the camera sees it:
    noise along the camera's own ray does not move a projection. Errors are divided by the standard
    deviation, relative to an exact landmark.
    """
    if correspondences.noise_axes is None:
        return None
    side = max(camera.width, camera.height)
    keypoint_px = config.keypoint_sigma_px * side / config.reference_side_px
    in_cam = cam_from_world.apply(correspondences.points3D)
    axes = correspondences.noise_axes @ cam_from_world.rotation.T
    with np.errstate(all="ignore"):
        moved = np.einsum("kij,kj->ki", projection_jacobian(camera, in_cam), axes)
        precisions = keypoint_px / np.hypot(keypoint_px, np.linalg.norm(moved, axis=1))
    return np.asarray(np.clip(np.nan_to_num(precisions, nan=MIN_PRECISION), MIN_PRECISION, 1.0))
