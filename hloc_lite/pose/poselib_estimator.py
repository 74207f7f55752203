"""PoseLib's LO-RANSAC P3P, refined on the distorted pixels."""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import MissingDependencyError
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.pose.common import max_error_px
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.registry import DepthScorer
from hloc_lite.types import Camera, Correspondences, Rigid3


class PoseLibEstimator(RansacEstimator):
    """``registry.PoseEstimator``; points are undistorted first, so every camera model works."""

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacEstimator``; ``depth_scorer`` is ignored."""
        if not self._enough(len(correspondences)):
            return None
        import poselib

        focal = float(focal_lengths(camera).mean())
        plane = cam_from_img(camera, correspondences.points2D)
        usable = np.isfinite(plane).all(axis=1)
        if not self._enough(int(usable.sum())):
            return None
        pinhole = {
            "model": "SIMPLE_PINHOLE",
            "width": camera.width,
            "height": camera.height,
            "params": [focal, 0.0, 0.0],
        }
        options = poselib.RansacOptions()
        options |= {
            error_key(options): max_error_px(camera, self._config),
            "max_iterations": max_num_trials,
            "min_iterations": min(self._config.min_num_trials, max_num_trials),
            "success_prob": self._config.confidence,
            "seed": self._config.seed,
        }
        points2D = np.ascontiguousarray(plane[usable] * focal)
        points3D = np.ascontiguousarray(correspondences.points3D[usable])
        pose, info = poselib.estimate_absolute_pose(points2D, points3D, pinhole, options, {})
        if info["num_inliers"] < 4 or not np.isfinite(pose.Rt).all():
            return None
        return Rigid3(pose.R, pose.t), int(info["iterations"])


def error_key(options: dict[str, object]) -> str:
    """The name of the inlier bound; unknown keys would be ignored in silence."""
    for key in ("max_reproj_error", "max_error"):
        if key in options:
            return key
    raise MissingDependencyError(
        "this version of poselib names its inlier bound in a way that is not known here: "
        "pip install 'poselib>=2.0.4,<3'"
    )
