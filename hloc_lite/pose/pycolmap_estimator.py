"""pycolmap's LO-RANSAC, for comparison."""

from __future__ import annotations

from hloc_lite.io.pycolmap_adapter import absolute_pose
from hloc_lite.pose.common import max_error_px
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.registry import DepthScorer
from hloc_lite.types import Camera, Correspondences, Rigid3


class PycolmapEstimator(RansacEstimator):
    """``registry.PoseEstimator``; it does not say how many trials it drew."""

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacEstimator``; ``depth_scorer`` is ignored."""
        config = self._config
        if not self._enough(len(correspondences)):
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
