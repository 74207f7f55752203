"""pycolmap's LO-RANSAC, for comparison."""

from __future__ import annotations

from hloc_lite.config import PoseConfig
from hloc_lite.io.pycolmap_adapter import absolute_pose
from hloc_lite.pose.common import finish, max_error_px
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, Correspondences, PoseEstimate


class PycolmapEstimator:
    """``registry.PoseEstimator``."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(self, correspondences: Correspondences, camera: Camera) -> PoseEstimate | None:
        """As ``registry.PoseEstimator``."""
        config = self._config
        if len(correspondences) < max(4, config.min_inliers):
            return None
        answer = absolute_pose(
            correspondences.points2D,
            correspondences.points3D,
            camera,
            max_error_px=max_error_px(camera, config),
            confidence=config.confidence,
            num_trials=(config.min_num_trials, config.max_num_trials),
            seed=config.seed,
        )
        return None if answer is None else finish(correspondences, camera, answer[0], config, 0)
