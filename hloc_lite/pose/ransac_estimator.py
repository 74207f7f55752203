"""What all estimators have in common: a RANSAC of their own, and then the same refinement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from hloc_lite.config import PoseConfig
from hloc_lite.pose.common import among_all, finish, restrict_scorer, usable_rows
from hloc_lite.registry import DepthScorer, Runtime
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3


class RansacEstimator(ABC):
    """``registry.PoseEstimator`` around ``ransac``."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(
        self,
        correspondences: Correspondences,
        camera: Camera,
        depth_scorer: DepthScorer | None = None,
    ) -> PoseEstimate | None:
        """As ``registry.PoseEstimator``."""
        usable = usable_rows(correspondences)
        if not usable.all():
            some = restrict_scorer(depth_scorer, usable)
            found = self.estimate(correspondences.subset(usable), camera, some)
            if found is None:
                return None
            return replace(found, inlier_mask=among_all(found.inlier_mask, usable))
        start = self.ransac(correspondences, camera, self._config.max_num_trials, depth_scorer)
        if start is None:
            return None
        pose, num_trials = start
        return finish(correspondences, camera, pose, self._config, num_trials)

    @abstractmethod
    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """(cam_from_world, trials drawn) before the refinement on pixels; None if there is none."""

    def _enough(self, count: int) -> bool:
        """Whether so many usable correspondences can have a pose at all."""
        return count >= max(4, self._config.min_inliers)
