"""A pose before its judge: what the map and the photo say of it, and how likely it is right."""

from __future__ import annotations

import math

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.view_semantics import pose_label_agreement
from hloc_lite.localize.answers import Attempt, Choice
from hloc_lite.localize.cues import Evidence
from hloc_lite.pose.confidence import Calibration, Confidence
from hloc_lite.pose.quality import quality_features
from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import Int64, RetrievalHits, UInt8

MIN_LABELLED = 8
"""Landmarks in view whose labels say something together."""


class Judge:
    """Says how likely poses in one map are right, or in several that are localized in together.

    Args:
        model: ``joint_model`` of the maps.
        point_labels: (M,) trusted labels of its points; None: labels are not in use.
        known_poses: the map was made from given poses; then its units are taken for metres.
        calibration: the coefficients; None: nobody asks.
        config: of the queries.
    """

    def __init__(
        self,
        model: SfmModel,
        point_labels: UInt8 | None,
        calibration: Calibration | None,
        config: Config,
        *,
        known_poses: bool,
    ) -> None:
        self._model, self._point_labels, self._config = model, point_labels, config
        self._calibration = calibration
        bounds = config.confidence.bounds
        self._metric = bounds == "metric" or (bounds == "auto" and known_poses)

    def judge(
        self, choice: Choice, evidence: Evidence, hits: RetrievalHits, *, learned: bool
    ) -> Confidence | None:
        """Of the pose that was chosen; None if there is none, or nobody asked.

        Args:
            choice: of all layers.
            evidence: of all layers (``pooled``).
            hits: images that were retrieved, as ``evidence`` counts them.
            learned: some matches are a learned matcher's.
        """
        attempt, calibration = choice.attempt, self._calibration
        if calibration is None or attempt.pose is None:
            return None
        features = quality_features(
            attempt.correspondences,
            attempt.pose,
            choice.ambiguity or 0.0,
            self._label_agreement(attempt, evidence, hits),
            self._limits(attempt, calibration),
            self._config.pose,
        )
        return calibration.assess(features, learned=learned)

    def _limits(self, attempt: Attempt, calibration: Calibration) -> tuple[float, float]:
        bounds, pose = calibration.bounds, attempt.pose
        assert pose is not None
        if self._metric:
            return bounds.distance, bounds.angle_deg
        inliers = attempt.correspondences.points3D[pose.inlier_mask]
        distance = float(np.median(np.linalg.norm(pose.cam_from_world.apply(inliers), axis=1)))
        return max(bounds.relative_distance * distance, 1e-9), bounds.angle_deg

    def _label_agreement(self, attempt: Attempt, evidence: Evidence, hits: RetrievalHits) -> float:
        """Share of the landmarks in view that lie on their label, of all that the images with
        inliers see in any layer: inliers themselves agree with any pose. NaN: too few are known."""
        pose, model, labels = attempt.pose, self._model, self._point_labels
        assert pose is not None
        if evidence.windows is None or labels is None:
            return math.nan
        images = [model.image_named(hits.names[i]) for i in _images_of_inliers(attempt, evidence)]
        seen = [visible_points(image) for image in images if image is not None]
        points = np.unique(np.concatenate([np.zeros(0, np.int64), *seen]))
        agreement = pose_label_agreement(
            pose.cam_from_world,
            pose.camera,
            model.xyz[points],
            labels[points],
            evidence.windows,
            self._config.semantics,
        )
        return agreement.share if agreement.num_compared >= MIN_LABELLED else math.nan


def _images_of_inliers(attempt: Attempt, evidence: Evidence) -> Int64:
    """Those retrieved images that have a match among the inliers."""
    assert attempt.pose is not None
    inliers = attempt.correspondences.subset(attempt.pose.inlier_mask)
    sightings = evidence.sightings
    num_points = 1 + int(sightings.point3D_idxs.max(initial=0))
    pairs = sightings.keypoint_idxs * num_points + sightings.point3D_idxs
    agreeing = np.isin(pairs, inliers.keypoint_idxs * num_points + inliers.point3D_idxs)
    images: Int64 = np.unique(sightings.hit_idxs[agreeing])
    return images
