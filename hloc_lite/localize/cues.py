"""Evidence about a query's matches, and the weights it makes of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.combine import (
    Weighting,
    combine,
    exponents_of,
    retrieval_cue,
    score_cue,
    track_cue,
)
from hloc_lite.consistency.depth_check import check_poses, depth_cue, depth_scorer
from hloc_lite.consistency.depth_maps import depths_at, kind_of
from hloc_lite.consistency.labels import LabelWindows, label_windows
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.consistency.landmark_noise import bound_factors, landmark_noise
from hloc_lite.consistency.place_agreement import (
    PoseAgreement,
    places_cue,
    pose_score,
    visible_points,
)
from hloc_lite.consistency.semantic_check import label_agreement, semantic_check, trusted_labels
from hloc_lite.consistency.semantic_rerank import (
    labelled_counts,
    rerank,
    semantic_consistency_weights,
)
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.mapping.map import Map
from hloc_lite.registry import DepthModel, DepthScorer, Segmenter
from hloc_lite.types import (
    NO_POINT,
    Bool,
    Camera,
    Correspondences,
    Cue,
    DepthMap,
    Float32,
    Float64,
    Int64,
    LabelMap,
    LocalFeatures,
    Photo,
    PoseEstimate,
    PutativeMatches,
    RetrievalHits,
    Rigid3,
    UInt8,
)

logger = logging.getLogger(__name__)
T = TypeVar("T")
QuickPose = Callable[[Correspondences], Rigid3 | None]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one query's matches besides that they match."""

    sightings: PutativeMatches
    """Those left: without dropped landmarks, and of the images that were kept."""
    cues: tuple[Cue, ...]
    keypoints: Float32
    """(N, 2) of the query, pixels."""
    depth_map: DepthMap | None
    config: Config
    windows: LabelWindows | None = None
    """Labels of the query."""

    def weigh(self, hit_idxs: Int64) -> Weighting:
        """Weights of the matches with some of the retrieved images."""
        rows = np.flatnonzero(np.isin(self.sightings.hit_idxs, hit_idxs))
        cues = [Cue(cue.name, cue.factors[rows], cue.touched[rows]) for cue in self.cues]
        return combine(self.sightings.subset(rows), cues, self.config.weighting)

    def depth_scorer(self, correspondences: Correspondences) -> DepthScorer | None:
        """Of poses within RANSAC; None: nothing is known, or it is not asked for."""
        if self.depth_map is None or not self.config.depth.in_ransac:
            return None
        predicted = depths_at(self.depth_map, correspondences.points2D)
        return depth_scorer(predicted, kind_of(self.depth_map), self.config.depth)

    def depth_agreement(self, correspondences: Correspondences, pose: PoseEstimate) -> float:
        """Share of a pose's inliers whose depth is the predicted one; 1/2: nothing is known."""
        if self.depth_map is None:
            return 0.5
        depths = pose.cam_from_world.apply(correspondences.points3D)[:, 2]
        predicted = depths_at(self.depth_map, correspondences.points2D)
        found = check_poses(
            depths[None],
            predicted,
            kind_of(self.depth_map),
            self.config.depth,
            pose.inlier_mask[None],
        )
        return float(found.agreement[0])


@dataclass(frozen=True, eq=False)
class Seen:
    """What networks see in a query's photo; None: nothing, or nobody asked."""

    windows: LabelWindows | None
    depth_map: DepthMap | None


class Witnesses:
    """Who can be asked about matches: the map, and the networks for labels and depth.

    Args:
        place: the map.
        config: which cues count, and how much; those that do not are not computed.
        segmenter: of queries; None: labels say nothing.
        depth: of queries; None: depth says nothing.

    Raises:
        ConfigError: labels are asked for, but the map has none.
    """

    def __init__(
        self, place: Map, config: Config, segmenter: Segmenter | None, depth: DepthModel | None
    ) -> None:
        self._place, self._config = place, config
        self._used = {name for name, power in exponents_of(config.weighting).items() if power > 0}
        self._depth = depth if "depth" in self._used else None
        self._track_lengths = _track_lengths(place)
        self.bound_factors: Float64 | None = None
        """(M,) of the inlier bound at each of the map's points; None: all alike."""
        if config.weighting.bound_exponent > 0:
            noise = landmark_noise(self._track_lengths, place.model.errors_px)
            self.bound_factors = bound_factors(noise, self._track_lengths, config.weighting)
        labels = place.landmark_labels
        asked = bool(self._used & {"semantics", "places"}) or config.semantics.rerank_keep > 0
        if asked and segmenter is not None and labels is None:
            raise ConfigError(
                f"semantics.source = {config.semantics.source} is for queries whose labels are "
                f"compared with those of the map's points, but this map has none: build it with "
                f"the same --labels SOURCE, or localize with --labels none"
            )
        self._segmenter = segmenter if asked else None
        if labels is not None:
            self._labels: UInt8 = trusted_labels(labels.labels, labels.shares, config.semantics)
            self._shares = labels.shares
            self._kept_share = landmark_weights(labels, config.semantics).weights

    @property
    def point_labels(self) -> UInt8 | None:
        """(M,) trusted labels of the map's points; None where labels are not in use."""
        return None if self._segmenter is None else self._labels

    def look(self, photo: Photo) -> Seen:
        """What the networks in use see in a photo."""
        label_map = self.labels_of(photo)
        windows = None if label_map is None else label_windows(label_map, self._config.semantics)
        depth_map = None if self._depth is None else _heard(self._depth.predict, photo, "depths")
        return Seen(windows, depth_map)

    def testify(
        self,
        query: MatchedQuery,
        sightings: PutativeMatches,
        quick_pose: QuickPose,
        seen: Seen,
    ) -> Evidence:
        """What each kind of evidence says of the matches.

        Args:
            sightings: the query's matches with map points.
            quick_pose: from the matches of one image alone, for the cue ``places``.
            seen: in the query's photo.
        """
        features, hits = query.features, query.hits
        windows, depth_map = seen.windows, seen.depth_map
        if self._segmenter is not None:
            sightings = sightings.subset(self._kept_share[sightings.point3D_idxs] > 0)
        if windows is not None:
            sightings = sightings.subset(self._of_kept_images(features, hits, sightings, windows))
        points = sightings.point3D_idxs
        cues = []
        if "score" in self._used:
            cues.append(score_cue(sightings.scores))
        if "retrieval" in self._used:
            cues.append(retrieval_cue(hits.similarities, sightings.hit_idxs))
        if "track" in self._used:
            errors = self._place.model.errors_px[points]
            cues.append(track_cue(self._track_lengths[points], errors, self._config.weighting))
        if windows is not None and "semantics" in self._used:
            cues.append(self._semantics(features, sightings, windows))
        if windows is not None and "places" in self._used:
            scores = [
                self._place_score(name, quick_pose(correspondences), query.camera, windows)
                for name, correspondences in self._by_image(features, hits, sightings)
            ]
            cues.append(places_cue(sightings, scores, self._config.semantics))
        if depth_map is not None:
            cues.append(self._depths(features, hits, sightings, depth_map))
        return Evidence(
            sightings, tuple(cues), features.keypoints, depth_map, self._config, windows
        )

    def labels_of(self, photo: Photo) -> LabelMap | None:
        """What a photo shows; None where labels are not in use, or there are none of it."""
        if self._segmenter is None:
            return None
        return _heard(self._segmenter.segment, photo, "labels")

    def _of_kept_images(
        self,
        features: LocalFeatures,
        hits: RetrievalHits,
        sightings: PutativeMatches,
        windows: LabelWindows,
    ) -> Bool:
        """(R,) matches of the images that stay the best after their labels are compared."""
        config = self._config.semantics
        if config.rerank_keep == 0:
            return np.ones(len(sightings), bool)
        agreement = label_agreement(
            features.keypoints[sightings.keypoint_idxs],
            windows,
            self._labels[sightings.point3D_idxs],
            config,
        )
        weights = semantic_consistency_weights(sightings, agreement, len(hits.names))
        counts = labelled_counts(sightings, agreement, len(hits.names))
        order = rerank(hits, weights, counts, config)
        return np.isin(sightings.hit_idxs, order[: config.rerank_keep])

    def _semantics(
        self, features: LocalFeatures, sightings: PutativeMatches, windows: LabelWindows
    ) -> Cue:
        points = sightings.point3D_idxs
        cue = semantic_check(
            features.keypoints[sightings.keypoint_idxs],
            windows,
            self._labels[points],
            self._shares[points],
            self._config.semantics,
        )
        kept = self._kept_share[points]
        return Cue(cue.name, cue.factors * kept, cue.touched | (kept < 1))

    def _by_image(
        self, features: LocalFeatures, hits: RetrievalHits, sightings: PutativeMatches
    ) -> list[tuple[str, Correspondences]]:
        found = []
        for index, name in enumerate(hits.names):
            rows = sightings.subset(sightings.hit_idxs == index)
            weighting = combine(rows, [], self._config.weighting)
            xyz = self._place.model.xyz
            correspondences = weighting.correspondences(features.keypoints, xyz, self.bound_factors)
            found.append((name, correspondences))
        return found

    def _place_score(
        self, name: str, pose: Rigid3 | None, camera: Camera, windows: LabelWindows
    ) -> PoseAgreement | None:
        image = self._place.model.image_named(name)
        if pose is None or image is None:
            return None
        seen = visible_points(image)
        xyz, labels = self._place.model.xyz[seen], self._labels[seen]
        return pose_score(pose, camera, xyz, labels, windows, self._config.semantics)

    def _depths(
        self,
        features: LocalFeatures,
        hits: RetrievalHits,
        sightings: PutativeMatches,
        depth_map: DepthMap,
    ) -> Cue:
        model = self._place.model
        images = [model.image_named(name) for name in hits.names]
        poses = [image.cam_from_world for image in images if image is not None]
        return depth_cue(
            sightings, features.keypoints, depth_map, model.xyz, poses, self._config.depth
        )


def _heard(
    ask: Callable[[Sequence[Photo]], Sequence[T | None]], photo: Photo, what: str
) -> T | None:
    """The answer for one photo; a broken file is told, and says nothing: matches do without it."""
    try:
        return ask([photo])[0]
    except HlocLiteError as error:
        logger.warning("%r goes without %s: %s", photo.name, what, error)
        return None


def counts_of(weighting: Weighting) -> dict[str, int]:
    """NAME_touched and NAME_lowered of each cue in use."""
    counts: dict[str, int] = {}
    for name, each in weighting.counts.items():
        counts |= {f"{name}_touched": each.touched, f"{name}_lowered": each.lowered}
    return counts


def _track_lengths(place: Map) -> Int64:
    lengths = np.zeros(place.model.num_points, np.int64)
    for image in place.model.images:
        points = image.point3D_idxs
        lengths[points[points != NO_POINT]] += 1  # once for an image that sees one twice
    return lengths
