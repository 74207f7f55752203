"""What all estimators have in common: a RANSAC of their own, and then the same refinement."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hloc_lite.config import PoseConfig
from hloc_lite.pose.common import finish
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3


class RansacEstimator(ABC):
    """``registry.PoseEstimator`` around ``ransac``."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(self, correspondences: Correspondences, camera: Camera) -> PoseEstimate | None:
        """As ``registry.PoseEstimator``."""
        found = self.ransac(correspondences, camera, self._config.max_num_trials)
        if found is None:
            return None
        pose, num_trials = found
        return finish(correspondences, camera, pose, self._config, num_trials)

    @abstractmethod
    def ransac(
        self, correspondences: Correspondences, camera: Camera, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """(cam_from_world, trials drawn) before the refinement on pixels; None if there is none."""

    def _enough(self, count: int) -> bool:
        """Whether so many usable correspondences can have a pose at all."""
        return count >= max(4, self._config.min_inliers)
