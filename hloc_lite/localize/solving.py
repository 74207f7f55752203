"""Poses from correspondences: with known or unknown focal length, again from a start, elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.config import Config
from hloc_lite.localize.answers import Attempt
from hloc_lite.localize.hypotheses import rival_trials, same_place
from hloc_lite.pose.focal import RANKING_TRIALS, estimate_with_focal
from hloc_lite.pose.inlier_model import (
    bounds_px,
    false_inlier_rates,
    posterior_odds,
    robust_sigma_px,
)
from hloc_lite.pose.refine import inlier_mask, refine_on_inliers, reprojection_errors
from hloc_lite.registry import DepthScorer, PoseEstimator
from hloc_lite.types import Bool, Camera, Correspondences, Float64, Int64, PoseEstimate, Rigid3

CLEARLY_OUTSIDE = 3.0
"""In inlier bounds: what lies nearer to a pose may still belong to it."""
NOISE_ROUNDS = 3
"""Of estimating the layers' noise: the first still follows the layer of most inliers."""
LEAST_PRECISION = 0.1
"""A dozen inliers that happen to fit well do not outweigh hundreds more than a hundredfold."""


@dataclass(frozen=True, eq=False)
class PoseSolver:
    """An estimator, and what is asked of it for one query.

    Its focal length is estimated unless ``calibrated``.
    """

    estimator: PoseEstimator
    config: Config
    camera: Camera
    calibrated: bool

    def solve(
        self, correspondences: Correspondences, depth_scorer: DepthScorer | None = None
    ) -> PoseEstimate | None:
        """The pose that most speaks for; None if too few agree with it.

        Args:
            depth_scorer: scores poses by the depths of these correspondences.
        """
        if self.calibrated:
            return self.estimator.estimate(correspondences, self.camera, depth_scorer)
        return estimate_with_focal(
            self.estimator, correspondences, self.camera, self.config.pose, self.config.localize,
            depth_scorer,
        )  # fmt: skip

    def gains(self, correspondences: Correspondences, relative: float = 1.0) -> Float64:
        """(K,) what each says for a pose that it agrees with: log of how much likelier that makes
        it to be right, nats.

        Args:
            relative: mean weight of theirs to that of all matches of the query.
        """
        bounds = bounds_px(correspondences, self.camera, self.config.pose)
        chance = false_inlier_rates(bounds, self.camera)
        odds = posterior_odds(correspondences.weights, chance, self.config.pose)
        return np.asarray(np.log1p(relative * odds))

    def quick(self, correspondences: Correspondences) -> Rigid3 | None:
        """A pose from few samples, not refined."""
        found = self.estimator.ransac(correspondences, self.camera, RANKING_TRIALS)
        return None if found is None else found[0]

    def refine(
        self, correspondences: Correspondences, start: PoseEstimate, layers: Int64
    ) -> PoseEstimate | None:
        """The pose near another that these correspondences ask for.

        Features of several layers each have a noise of their own, which is estimated with the pose
        in turn (variance components, Förstner 1979).

        Args:
            layers: (K,) which layer each is of.
        """
        found = self._refine(correspondences, start, None)
        for _ in range(NOISE_ROUNDS if len(np.unique(layers)) > 1 else 0):
            if found is None:
                break
            found = self._refine(
                correspondences, found, _precisions(correspondences, found, layers)
            )
        return found

    def _refine(
        self, correspondences: Correspondences, start: PoseEstimate, precisions: Float64 | None
    ) -> PoseEstimate | None:
        return refine_on_inliers(
            correspondences, start.camera, start.cam_from_world, self.config.pose,
            start.num_trials, refine_focal=not self.calibrated, precisions=precisions,
        )  # fmt: skip

    def rival(self, attempt: Attempt) -> float:
        """Support of the best pose at another place, among the matches that an attempt's pose
        leaves over; 0 if a few samples find none."""
        config, pose = self.config.localize, attempt.pose
        if pose is None:
            return 0.0
        left = _beyond(attempt.correspondences, pose, CLEARLY_OUTSIDE, self.config)
        rest = attempt.correspondences.subset(left)
        trials = rival_trials(pose.num_inliers, len(rest), config)
        if trials == 0 or len(rest) < config.rival_share * pose.num_inliers:
            return 0.0
        found = self.estimator.ransac(rest, pose.camera, trials)
        if found is None or same_place(attempt, found[0], config):
            return 0.0
        given = attempt.correspondences
        bounds = bounds_px(given, pose.camera, self.config.pose)
        agreeing = inlier_mask(given.points2D, given.points3D, pose.camera, found[0], bounds)
        return attempt.support_of(agreeing & left)


def _precisions(correspondences: Correspondences, pose: PoseEstimate, layers: Int64) -> Float64:
    """(K,) 1 over the noise of each layer's inliers, relative to the most precise layer's."""
    errors = reprojection_errors(
        correspondences.points2D, correspondences.points3D, pose.camera, pose.cam_from_world
    )
    precisions = np.ones(len(errors))
    for layer in np.unique(layers[pose.inlier_mask]):
        own = layers == layer
        inliers = own & pose.inlier_mask
        precisions[own] = 1 / robust_sigma_px(errors[inliers], correspondences.weights[inliers])
    return np.maximum(precisions / precisions.max(), LEAST_PRECISION)


def _beyond(
    correspondences: Correspondences, pose: PoseEstimate, bounds: float, config: Config
) -> Bool:
    """(K,) those that lie farther from a pose than so many of their bounds."""
    limits = bounds * bounds_px(correspondences, pose.camera, config.pose)
    near = inlier_mask(
        correspondences.points2D, correspondences.points3D, pose.camera, pose.cam_from_world, limits
    )
    return ~near
