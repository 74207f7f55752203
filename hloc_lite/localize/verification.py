"""Verifies a pose: its pose-quality features, and the calibrated confidence they give."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.labels import LabelWindows
from hloc_lite.consistency.view_semantics import pose_label_agreement
from hloc_lite.localize.correspondences import NearestMatches
from hloc_lite.localize.estimation import PoseHypothesis, SelectedHypothesis
from hloc_lite.localize.landmark_check import LandmarkCheck
from hloc_lite.pose.confidence import Calibration, Confidence
from hloc_lite.pose.quality import quality_features
from hloc_lite.protocols import Lifter
from hloc_lite.scene import observed_points
from hloc_lite.types import Int64, PutativeMatches, RetrievalHits, UInt8

MIN_LABELLED = 8
"""Landmarks in view that must have labels for their agreement to count."""


@dataclass(frozen=True, eq=False)
class VerifiedPose:
    """Selected hypothesis with the confidence in its pose."""

    selected: SelectedHypothesis
    confidence: Confidence | None
    """None without a pose, or if ``confidence.enabled`` is false."""
    probability: float | None
    """Probability that the pose is correct; 0 if it contradicts the prior, None if unknown."""
    is_accepted: bool
    """True if the pose is given to the user."""
    prior_conflict: str = ""
    """Sentence on how the pose contradicts the prior; empty if it does not."""


class PoseVerifier:
    """Scores a pose with the calibrated confidence model.

    Args:
        lifter: points of the map, or of all maps together.
        point_labels: (M,) trusted labels of these points; None if labels are not in use.
        calibration: coefficients of the confidence model; None if it is disabled.
        config: config of the queries.
        landmark_check: compares landmarks with the pose; None to leave these features out.
        known_poses: True if the map was made from given poses; its units are taken as metres.
    """

    def __init__(
        self,
        lifter: Lifter,
        point_labels: UInt8 | None,
        calibration: Calibration | None,
        config: Config,
        landmark_check: LandmarkCheck | None = None,
        *,
        known_poses: bool,
    ) -> None:
        self._lifter, self._point_labels, self._config = lifter, point_labels, config
        self._calibration = calibration
        self._landmark_check = landmark_check
        bounds = config.confidence.bounds
        self._is_metric = bounds == "metric" or (bounds == "auto" and known_poses)

    @property
    def is_metric(self) -> bool:
        """True if the bounds of a correct pose are in metres."""
        return self._is_metric

    def with_points(self, lifter: Lifter) -> PoseVerifier:
        """Verifier with other points."""
        other = copy(self)
        other._lifter = lifter
        other._landmark_check = (
            None if self._landmark_check is None else self._landmark_check.with_points(lifter)
        )
        return other

    def verify(
        self,
        selected: SelectedHypothesis,
        matches: PutativeMatches,
        windows: LabelWindows | None,
        hits: RetrievalHits,
        nearest: NearestMatches | None = None,
        *,
        is_learned: bool,
    ) -> VerifiedPose:
        """Score the pose of the selected hypothesis.

        Args:
            matches: putative matches with all maps.
            windows: semantic labels of the query; None if not in use.
            hits: retrieved images, as ``matches.hit_idxs`` counts them.
            nearest: matches with landmarks by nearest neighbours alone; None if unknown.
            is_learned: True if some matches come from a learned matcher.
        """
        hypothesis, calibration = selected.hypothesis, self._calibration
        pose = hypothesis.pose
        if calibration is None or pose is None:
            return VerifiedPose(selected, None, None, pose is not None)
        features = quality_features(
            hypothesis.correspondences,
            pose,
            selected.ambiguity or 0.0,
            self._label_agreement(hypothesis, matches, windows, hits),
            self._error_limits(hypothesis, calibration),
            self._config.pose,
        )
        if nearest is not None and self._landmark_check is not None:
            features |= self._landmark_check.features(pose, nearest, hits)
        confidence = calibration.assess(features, learned=is_learned)
        is_accepted = confidence.probability >= self._config.confidence.min_confidence
        return VerifiedPose(selected, confidence, confidence.probability, is_accepted)

    def _error_limits(
        self, hypothesis: PoseHypothesis, calibration: Calibration
    ) -> tuple[float, float]:
        """(distance in map units, angle in deg) within which the pose counts as correct."""
        bounds, pose = calibration.bounds, hypothesis.pose
        assert pose is not None
        if self._is_metric:
            return bounds.distance, bounds.angle_deg
        inliers = hypothesis.correspondences.points3D[pose.inlier_mask]
        distance = float(np.median(np.linalg.norm(pose.cam_from_world.apply(inliers), axis=1)))
        return max(bounds.relative_distance * distance, 1e-9), bounds.angle_deg

    def _label_agreement(
        self,
        hypothesis: PoseHypothesis,
        matches: PutativeMatches,
        windows: LabelWindows | None,
        hits: RetrievalHits,
    ) -> float:
        """Share of the landmarks in view that project onto their label; NaN if too few are known.

        All landmarks count that the images with inliers observe: inliers alone agree with any pose.
        """
        pose, labels = hypothesis.pose, self._point_labels
        assert pose is not None
        if windows is None or labels is None:
            return math.nan
        names = [hits.names[i] for i in _images_with_inliers(hypothesis, matches)]
        observed = [self._lifter.points_of(name) for name in names]
        points = observed_points(np.concatenate([np.zeros(0, np.int64), *observed]))
        agreement = pose_label_agreement(
            pose.cam_from_world,
            pose.camera,
            self._lifter.xyz_of(points),
            labels[points],
            windows,
            self._config.semantics,
        )
        return agreement.share if agreement.num_compared >= MIN_LABELLED else math.nan


def _images_with_inliers(hypothesis: PoseHypothesis, matches: PutativeMatches) -> Int64:
    """Retrieved images that have a match among the inliers."""
    assert hypothesis.pose is not None
    inliers = hypothesis.correspondences.subset(hypothesis.pose.inlier_mask)
    num_points = 1 + int(matches.point3D_idxs.max(initial=0))
    pairs = matches.keypoint_idxs * num_points + matches.point3D_idxs
    agreeing = np.isin(pairs, inliers.keypoint_idxs * num_points + inliers.point3D_idxs)
    images: Int64 = np.unique(matches.hit_idxs[agreeing])
    return images
