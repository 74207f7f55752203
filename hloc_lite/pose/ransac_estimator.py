"""Base class of the pose estimators: each has its own RANSAC, all share the same refinement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from hloc_lite.config import PoseConfig
from hloc_lite.pose.inlier_model import expand_mask, restrict_scorer, usable_mask
from hloc_lite.pose.refine import refine_on_inliers
from hloc_lite.protocols import DepthScorer
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3


class RansacEstimator(ABC):
    """``protocols.PoseEstimator`` that refines the pose of its ``ransac``."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(
        self,
        correspondences: Correspondences,
        camera: Camera,
        depth_scorer: DepthScorer | None = None,
    ) -> PoseEstimate | None:
        """See ``protocols.PoseEstimator.estimate``."""
        usable = usable_mask(correspondences)
        if not usable.all():
            subset_scorer = restrict_scorer(depth_scorer, usable)
            found = self.estimate(correspondences.subset(usable), camera, subset_scorer)
            if found is None:
                return None
            return replace(found, inlier_mask=expand_mask(found.inlier_mask, usable))
        start = self.ransac(correspondences, camera, self._config.max_num_trials, depth_scorer)
        if start is None:
            return None
        pose, num_trials = start
        return refine_on_inliers(correspondences, camera, pose, self._config, num_trials)

    @abstractmethod
    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """See ``protocols.PoseEstimator.ransac``."""

    def _has_enough(self, count: int) -> bool:
        """True if a pose is possible with this number of usable correspondences."""
        return count >= max(4, self._config.min_inliers)
