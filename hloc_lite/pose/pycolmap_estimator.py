"""pycolmap's LO-RANSAC, as a baseline."""

from __future__ import annotations

from hloc_lite.io.pycolmap_adapter import absolute_pose
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Camera, Correspondences, Rigid3


class PycolmapEstimator(RansacEstimator):
    """``protocols.PoseEstimator``; it does not report the number of trials."""

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """See ``protocols.PoseEstimator.ransac``; ``depth_scorer`` is ignored."""
        config = self._config
        if not self._has_enough(len(correspondences)):
            return None
        answer = absolute_pose(
            correspondences.points2D,
            correspondences.points3D,
            camera,
            max_error_px=max_error_px(camera, config),
            confidence=config.confidence,
            num_trials=(min(config.min_num_trials, max_num_trials), max_num_trials),
            seed=config.seed,
        )
        return None if answer is None else (answer[0], 0)
