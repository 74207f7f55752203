"""This package's own weighted LO-RANSAC, for every camera model."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.pose.common import bounds_px, chances, posterior_odds, restrict_scorer, votes
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.ransac_estimator import RansacEstimator
from hloc_lite.pose.screening import Problem
from hloc_lite.pose.weighted_ransac import weighted_ransac
from hloc_lite.registry import DepthScorer, Runtime
from hloc_lite.types import Camera, Correspondences, Float64, Rigid3


class WeightedEstimator(RansacEstimator):
    """``registry.PoseEstimator`` that uses the weights and bounds of the correspondences."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        super().__init__(name, config, runtime)
        # NumPy is what is fastest on the CPU
        self._device = None if runtime.device == "cpu" else runtime.device

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacEstimator``."""
        rays, points3D = bearings(camera, correspondences.points2D), correspondences.points3D
        jacobians = projection_jacobian(camera, rays)
        weights = correspondences.weights
        # sums are finite where all is, and faster than asking each
        usable = np.isfinite(np.einsum("ki->k", rays) + np.einsum("kij->k", jacobians))
        if not self._enough(int(np.count_nonzero(usable))):
            return None
        bounds = bounds_px(correspondences, camera, self._config)
        if not usable.all():
            rays, points3D, jacobians = rays[usable], points3D[usable], jacobians[usable]
            weights, bounds = weights[usable], bounds[usable]
        # near the origin single precision is enough to screen poses
        center = _median(points3D)
        errors = LinearErrors.of(rays, jacobians, points3D - center, bounds)
        counted = votes(posterior_odds(weights, chances(bounds, camera), self._config))
        problem = Problem(rays, points3D - center, weights, counted, errors)
        some = restrict_scorer(depth_scorer, usable)
        found = weighted_ransac(problem, self._config, max_num_trials, self._device, some)
        if found is None:
            return None
        rotation, translation = found.pose[:9].reshape(3, 3), found.pose[9:]
        # products of many small rotations: orthonormal again to the last digit
        left, _, right = np.linalg.svd(rotation)
        rotation = left @ right
        return Rigid3(rotation, translation - rotation @ center), found.num_trials


def _median(points3D: Float64) -> Float64:
    """(3,) of each coordinate the upper median; NumPy's own takes three times as long."""
    middle = len(points3D) // 2
    return np.asarray(np.partition(points3D, middle, axis=0)[middle])
