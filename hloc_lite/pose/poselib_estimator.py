"""PoseLib's LO-RANSAC with P3P; the pose is refined on the distorted pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.errors import MissingDependencyError
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Bool, Camera, Correspondences, Float64, Rigid3


class PoseLibEstimator(RansacEstimator):
    """``protocols.PoseEstimator`` on undistorted points, for every camera model."""

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """See ``protocols.PoseEstimator.ransac``; ``depth_scorer`` is ignored."""
        if not self._has_enough(len(correspondences)):
            return None
        import poselib

        points2D, usable, pinhole = undistort(camera, correspondences.points2D)
        if not self._has_enough(len(points2D)):
            return None
        points3D = np.ascontiguousarray(correspondences.points3D[usable])
        options = ransac_options(max_error_px(camera, self._config), max_num_trials, self._config)
        pose, info = poselib.estimate_absolute_pose(points2D, points3D, pinhole, options, {})
        return pose_and_trials(pose, info)


def undistort(
    camera: Camera, points2D: Float64, scale: float = 1.0
) -> tuple[Float64, Bool, dict[str, Any]]:
    """Pixels of a pinhole camera without distortion, as PoseLib takes them.

    Args:
        points2D: (K, 2) pixels.
        scale: factor of the focal length.

    Returns:
        (N, 2) pixels, the (K,) mask of the points that have one, and PoseLib's camera.
    """
    focal = scale * float(focal_lengths(camera).mean())
    plane = cam_from_img(camera, points2D)
    usable = np.asarray(np.isfinite(plane).all(axis=1))
    pinhole = {
        "model": "SIMPLE_PINHOLE",
        "width": camera.width,
        "height": camera.height,
        "params": [focal, 0.0, 0.0],
    }
    return np.ascontiguousarray(plane[usable] * focal), usable, pinhole


def ransac_options(bound_px: float, max_num_trials: int, config: PoseConfig) -> Any:
    """PoseLib's options for RANSAC.

    Raises:
        MissingDependencyError: this version of PoseLib has no known option for the inlier bound.
            It would ignore an unknown one.
    """
    import poselib

    options = poselib.RansacOptions()
    names = [name for name in ("max_reproj_error", "max_error") if name in options]
    if not names:
        raise MissingDependencyError(
            "this version of poselib has no option max_reproj_error or max_error: "
            "pip install 'poselib>=2.0.4,<3'"
        )
    options |= {
        names[0]: bound_px,
        "max_iterations": max_num_trials,
        "min_iterations": min(config.min_num_trials, max_num_trials),
        "success_prob": config.confidence,
        "seed": config.seed,
    }
    return options


def pose_and_trials(pose: Any, info: dict[str, Any]) -> tuple[Rigid3, int] | None:
    """Pose and number of trials of PoseLib's answer; None if it found no pose."""
    if info["num_inliers"] < 4 or not np.isfinite(pose.Rt).all():
        return None
    return Rigid3(pose.R, pose.t), int(info["iterations"])
