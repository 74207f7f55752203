"""OpenCV's USAC with P3P, as a baseline."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.pose.poselib_estimator import undistort
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Camera, Correspondences, Rigid3


class OpenCvEstimator(RansacEstimator):
    """``protocols.PoseEstimator`` on undistorted points, for every lens below 180 degrees.

    OpenCV's USAC draws the same samples in every run, and does not report their number.
    """

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """See ``protocols.PoseEstimator.ransac``; ``depth_scorer`` is ignored."""
        import cv2

        config = self._config
        points2D, usable, pinhole = undistort(camera, correspondences.points2D)
        if not self._has_enough(len(points2D)):
            return None
        focal = pinhole["params"][0]
        params = cv2.UsacParams()
        params.confidence = config.confidence
        params.maxIterations = max_num_trials
        params.threshold = max_error_px(camera, config)
        params.randomGeneratorState = config.seed
        params.score = cv2.SCORE_METHOD_MSAC
        params.loMethod = cv2.LOCAL_OPTIM_INNER_LO
        try:
            found, _, rotvec, translation, _ = cv2.solvePnPRansac(
                np.ascontiguousarray(correspondences.points3D[usable]),
                points2D,
                np.diag([focal, focal, 1.0]),
                None,
                params=params,
            )
        except cv2.error:  # raised where no model was found
            return None
        if not found or not (np.isfinite(rotvec).all() and np.isfinite(translation).all()):
            return None
        pose = Rigid3(exp_so3(rotvec.ravel()), np.asarray(translation, np.float64).ravel())
        return pose, 0
