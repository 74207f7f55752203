"""Check of a pose by landmarks alone, before a learned matcher was asked.

A learned matcher finds matches that agree with one another wherever two places look alike. Nearest
neighbours do so much less: of the landmarks that should be in view, most of those that they match
lie where the right pose says, and few where a wrong one says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from hloc_lite.config import Config, VisibilityConfig
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences
from hloc_lite.localize.correspondences import NearestMatches
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.pose.visibility import expected_landmarks, observations
from hloc_lite.protocols import Lifter
from hloc_lite.scene import SfmModel, observed_points
from hloc_lite.types import PoseEstimate, RetrievalHits


class LandmarkCheck:
    """Compares the nearest-neighbour matches of a query with the landmarks in view of its pose.

    Args:
        lifter: points of the map, or of all maps together.
        model: images of the map, for where they were taken.
        typical: what right answers about the map's own photos reach at least. It may lower the bar,
            never raise it: photos of another day or camera agree less than those of the map.
    """

    def __init__(
        self, lifter: Lifter, model: SfmModel, config: Config, typical: float = 0.0
    ) -> None:
        self._lifter, self._model, self._config = lifter, model, config
        self._typical = min(typical, 0.0)

    def with_points(self, lifter: Lifter) -> LandmarkCheck:
        """The same with other points."""
        return LandmarkCheck(lifter, self._model, self._config, self._typical)

    def features(
        self, pose: PoseEstimate, nearest: NearestMatches, hits: RetrievalHits
    ) -> dict[str, float]:
        """Pose-quality feature ``landmarks``; NaN if nothing was matched by nearest neighbours.

        Args:
            hits: retrieved images; what they observe is expected in view.
        """
        if len(nearest.scores) == 0:
            return {"landmarks": math.nan}
        config = self._config.visibility
        names = self._lifter.image_names.intersection(hits.names)
        points = {name: observed_points(self._lifter.points_of(name)) for name in sorted(names)}
        seen = observations(points, self._lifter, self._model)
        expected = expected_landmarks(seen, pose.cam_from_world, pose.camera, config)
        in_view = np.isin(nearest.point3D_idxs, expected)
        num_agreeing = int((in_view & self._agrees(pose, nearest)).sum())
        num_others = int(in_view.sum()) - num_agreeing
        share, count = config.expected_share, config.prior_matches
        log_odds = math.log((num_agreeing + share * count) / (num_others + (1 - share) * count))
        return {"landmarks": min(float(log_odds - logit(share)) - self._typical, 0.0)}

    def _agrees(self, pose: PoseEstimate, nearest: NearestMatches) -> np.ndarray:
        """(R,) True for matches within the inlier bound of the pose."""
        config, camera = self._config.pose, pose.camera
        with np.errstate(invalid="ignore"):
            projected = img_from_cam(camera, pose.cam_from_world.apply(nearest.xyz))
            errors = np.linalg.norm(pixel_differences(camera, projected, nearest.points2D), axis=1)
        return np.asarray(errors <= max_error_px(camera, config))


def keypoint_growth(features: Mapping[str, float], config: VisibilityConfig) -> float:
    """Factor of the standard deviations that come from keypoints, from 1 on.

    Args:
        features: pose-quality features; without ``landmarks`` the factor is 1.
    """
    log_odds = features.get("landmarks", math.nan)
    if math.isnan(log_odds):
        return 1.0
    return 1 - config.error_growth * math.expm1(log_odds / config.error_growth_scale)
