"""Verifies a pose: its pose-quality features, and the calibrated confidence they give."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.labels import LabelWindows
from hloc_lite.consistency.view_semantics import pose_label_agreement
from hloc_lite.localize.correspondences import NearestMatches
from hloc_lite.localize.error_limits import (
    error_limits,
    metres_of_unit,
    with_total_uncertainty,
)
from hloc_lite.localize.estimation import PoseHypothesis, SelectedHypothesis
from hloc_lite.localize.intrinsics_check import (
    NOTHING_FOUND,
    IntrinsicsTest,
    compare_intrinsics,
)
from hloc_lite.localize.landmark_check import LandmarkCheck, keypoint_growth
from hloc_lite.localize.pose_uncertainty import MapErrors, with_total_covariance
from hloc_lite.localize.view_synthesis import agreement_log_odds
from hloc_lite.pose.confidence import Calibration, Confidence
from hloc_lite.pose.quality import VIEW, quality_features
from hloc_lite.protocols import Lifter
from hloc_lite.scene import observed_points
from hloc_lite.types import (
    Correspondences,
    Float64,
    Int64,
    PoseEstimate,
    PutativeMatches,
    RetrievalHits,
    UInt8,
)

NO_SHIFT = np.zeros(6)
MIN_LABELLED = 8
"""Landmarks in view that must have labels for their agreement to count."""


@dataclass(frozen=True, eq=False)
class VerifiedPose:
    """Selected hypothesis with the confidence in its pose."""

    selected: SelectedHypothesis
    confidence: Confidence | None
    """None without a pose, or if ``confidence.enabled`` is false."""
    probability: float | None
    """Probability that the pose is correct; 0 if it was accepted but contradicts the prior, None if
    unknown."""
    is_accepted: bool
    """True if the pose agrees with the prior, and is sure enough without a promise
    (``confidence.min_confidence``)."""
    intrinsics_doubt: str = ""
    """Sentence on intrinsics that fit better than those given; empty if none do."""
    intrinsics_used: str = ""
    """The same where they took the place of those given (``localize.recalibrate``)."""
    prior_conflict: str = ""
    """Sentence on how the pose contradicts the prior; empty if it does not."""


class PoseVerifier:
    """Scores a pose with the calibrated confidence model.

    Args:
        lifter: points of the map, or of all maps together.
        point_labels: (M,) trusted labels of these points; None if labels are not in use.
        calibration: coefficients of the confidence model; None if it is disabled.
        config: config of the queries.
        map_errors: errors of the map around a query.
        landmark_check: compares landmarks with the pose; None to leave these features out.
        metres_per_unit: scale of the map; None if unknown (``MapData.metres_per_unit``).
    """

    def __init__(
        self,
        lifter: Lifter,
        point_labels: UInt8 | None,
        calibration: Calibration | None,
        config: Config,
        map_errors: MapErrors,
        landmark_check: LandmarkCheck | None = None,
        *,
        metres_per_unit: float | None,
    ) -> None:
        self._lifter, self._point_labels, self._config = lifter, point_labels, config
        self._calibration = calibration
        self._metres_per_unit = metres_of_unit(config.confidence, metres_per_unit)
        self._map_errors, self._landmark_check = map_errors, landmark_check

    @property
    def metres_per_unit(self) -> float | None:
        """Scale of the map by which poses are judged; None if their limits are relative."""
        return self._metres_per_unit

    def with_points(self, lifter: Lifter) -> PoseVerifier:
        """Verifier with other points."""
        other = copy(self)
        other._lifter = lifter
        other._landmark_check = (
            None if self._landmark_check is None else self._landmark_check.with_points(lifter)
        )
        return other

    def recalibrating(self, recalibrate: bool) -> PoseVerifier:
        """Verifier with another value of ``localize.recalibrate``."""
        other, changed = copy(self), {"recalibrate": recalibrate}
        localize = self._config.localize.model_copy(update=changed)
        other._config = self._config.model_copy(update={"localize": localize})
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
        is_calibrated: bool,
    ) -> VerifiedPose:
        """Score the pose of the selected hypothesis.

        Where other intrinsics than those given fit clearly better, the confidence is lowered; with
        ``localize.recalibrate`` the pose with the better ones takes the place of the first.

        Args:
            matches: putative matches with all maps.
            windows: semantic labels of the query; None if not in use.
            hits: retrieved images, as ``matches.hit_idxs`` counts them.
            nearest: matches with landmarks by nearest neighbours alone; None if unknown.
            is_learned: True if some matches come from a learned matcher.
            is_calibrated: the intrinsics were given, not estimated.
        """
        if selected.hypothesis.pose is None:
            return VerifiedPose(selected, None, None, is_accepted=False)

        def score(
            each: SelectedHypothesis, shift: Float64 = NO_SHIFT, *, is_calibrated: bool
        ) -> VerifiedPose:
            agreement = self._label_agreement(each.hypothesis, matches, windows, hits)
            landmarks = self._landmark_features(each, nearest, hits)
            total = self._with_total_covariance(each, shift, landmarks, is_calibrated=is_calibrated)
            return self._score(each, total, agreement, landmarks, is_learned=is_learned)

        verified = score(selected, is_calibrated=is_calibrated)
        return self._check_intrinsics(selected, verified, score, is_calibrated=is_calibrated)

    def _check_intrinsics(
        self,
        selected: SelectedHypothesis,
        verified: VerifiedPose,
        score: Callable[..., VerifiedPose],
        *,
        is_calibrated: bool,
    ) -> VerifiedPose:
        """Lower the confidence where other intrinsics fit better, or use those.

        Poses that are hopeless anyway are not checked: most of them show another place.
        """
        hypothesis, config = selected.hypothesis, self._config
        if hypothesis.pose is None or verified.probability is None:
            return verified
        if not config.intrinsics.check or verified.probability < config.cascade.reject_below:
            return verified
        test = self.test_intrinsics(
            hypothesis.correspondences, hypothesis.pose, is_calibrated=is_calibrated
        )
        if test.fitted is not None and config.localize.recalibrate:
            better = replace(selected, hypothesis=replace(hypothesis, pose=test.fitted))
            return replace(score(better, is_calibrated=False), intrinsics_used=test.sentence)
        if test.shift.any():
            verified = score(selected, test.shift, is_calibrated=is_calibrated)
        assert verified.confidence is not None
        probability = test.factor * verified.confidence.probability
        return replace(
            verified,
            confidence=replace(verified.confidence, probability=probability),
            probability=probability,
            is_accepted=probability >= config.confidence.min_confidence,
            intrinsics_doubt=test.sentence,
        )

    def test_intrinsics(
        self, correspondences: Correspondences, pose: PoseEstimate, *, is_calibrated: bool = True
    ) -> IntrinsicsTest:
        """Test the intrinsics of a pose against others, unless that or confidence is disabled."""
        if self._calibration is None or not self._config.intrinsics.check:
            return NOTHING_FOUND
        bounds = self._calibration.bounds
        limits = error_limits(correspondences, pose, bounds, self._metres_per_unit)
        return compare_intrinsics(
            correspondences, pose, limits.pair, self._config, is_calibrated=is_calibrated
        )

    def _landmark_features(
        self, selected: SelectedHypothesis, nearest: NearestMatches | None, hits: RetrievalHits
    ) -> Mapping[str, float]:
        """Pose-quality features of the landmarks in view; none if they are not checked."""
        pose = selected.hypothesis.pose
        if pose is None or nearest is None or self._landmark_check is None:
            return {}
        return self._landmark_check.features(pose, nearest, hits)

    def _with_total_covariance(
        self,
        selected: SelectedHypothesis,
        shift: Float64,
        landmarks: Mapping[str, float],
        *,
        is_calibrated: bool,
    ) -> PoseEstimate:
        """Pose of a hypothesis with its total covariance, widened by a (6,) shift."""
        hypothesis = selected.hypothesis
        assert hypothesis.pose is not None
        total = with_total_covariance(
            hypothesis.correspondences, hypothesis.pose, self._config.intrinsics,
            self._map_errors, is_calibrated=is_calibrated,
            keypoint_growth=keypoint_growth(landmarks, self._config.visibility),
        )  # fmt: skip
        if total.covariance is None or not shift.any():
            return total
        return replace(total, covariance=total.covariance + np.outer(shift, shift))

    def _score(
        self,
        selected: SelectedHypothesis,
        total: PoseEstimate,
        label_agreement: float,
        landmarks: Mapping[str, float],
        *,
        is_learned: bool,
    ) -> VerifiedPose:
        """Confidence in a pose by its features, and by its total covariance."""
        hypothesis, calibration = selected.hypothesis, self._calibration
        pose = hypothesis.pose
        assert pose is not None
        selected = replace(selected, hypothesis=replace(hypothesis, pose=total))
        if calibration is None:
            return VerifiedPose(selected, None, None, is_accepted=True)
        limits = error_limits(
            hypothesis.correspondences, pose, calibration.bounds, self._metres_per_unit
        )
        features = quality_features(
            hypothesis.correspondences,
            pose,
            selected.ambiguity or 0.0,
            label_agreement,
            limits.pair,
            self._config.pose,
        )
        if selected.views:
            features[VIEW] = agreement_log_odds(selected.views[0].agreement)
        confidence = calibration.assess({**features, **landmarks}, learned=is_learned)
        confidence = with_total_uncertainty(confidence, pose, total, limits)
        is_accepted = confidence.probability >= self._config.confidence.min_confidence
        return VerifiedPose(selected, confidence, confidence.probability, is_accepted)

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
