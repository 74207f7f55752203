"""OpenCV's USAC with P3P, for comparison."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.common import finish, max_error_px
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3


class OpenCvEstimator:
    """``registry.PoseEstimator``; points are undistorted first, so every lens below 180 degrees
    works. OpenCV's USAC draws the same samples in every run."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(self, correspondences: Correspondences, camera: Camera) -> PoseEstimate | None:
        """As ``registry.PoseEstimator``."""
        import cv2

        config = self._config
        focal = float(focal_lengths(camera).mean())
        plane = cam_from_img(camera, correspondences.points2D)
        usable = np.isfinite(plane).all(axis=1)
        if usable.sum() < max(4, config.min_inliers):
            return None
        params = cv2.UsacParams()
        params.confidence = config.confidence
        params.maxIterations = config.max_num_trials
        params.threshold = max_error_px(camera, config)
        params.randomGeneratorState = config.seed
        params.score = cv2.SCORE_METHOD_MSAC
        params.loMethod = cv2.LOCAL_OPTIM_INNER_LO
        try:
            found, _, rotvec, translation, _ = cv2.solvePnPRansac(
                np.ascontiguousarray(correspondences.points3D[usable]),
                np.ascontiguousarray(plane[usable] * focal),
                np.diag([focal, focal, 1.0]),
                None,
                params=params,
            )
        except cv2.error:  # its way to say that no model was found
            return None
        if not found or not (np.isfinite(rotvec).all() and np.isfinite(translation).all()):
            return None
        pose = Rigid3(exp_so3(rotvec.ravel()), np.asarray(translation, np.float64).ravel())
        return finish(correspondences, camera, pose, config, 0)
