"""Cues about putative matches, and the weights they give the correspondences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.cue_combination import (
    VIEW_SEMANTICS,
    MatchWeights,
    combine_cues,
    cue_exponents,
    retrieval_cue,
    score_cue,
    track_cue,
)
from hloc_lite.consistency.depth_check import depth_cue
from hloc_lite.consistency.labels import LabelWindows
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.consistency.landmark_noise import bound_factors, landmark_noise
from hloc_lite.consistency.semantic_check import label_agreement, semantic_check, trusted_labels
from hloc_lite.consistency.semantic_rerank import (
    labelled_counts,
    rerank,
    semantic_consistency_weights,
)
from hloc_lite.consistency.view_semantics import (
    PoseLabelAgreement,
    pose_label_agreement,
    view_semantics_cue,
)
from hloc_lite.errors import ConfigError
from hloc_lite.localize.query import MapMatches, Query
from hloc_lite.maps.map import Map
from hloc_lite.maps.noise_axes import noise_axes
from hloc_lite.protocols import CueComputer, Lifter
from hloc_lite.scene import observed_points
from hloc_lite.types import (
    Bool,
    Camera,
    Correspondences,
    Cue,
    Float32,
    Float64,
    Int64,
    PutativeMatches,
    RetrievalHits,
    Rigid3,
    UInt8,
)

QuickPose = Callable[[Correspondences], Rigid3 | None]
"""Estimates cam_from_world from few RANSAC samples, without refinement."""


@dataclass(frozen=True, eq=False)
class MatchCues:
    """Putative matches of a query with one map or several, and the cues about them."""

    matches: PutativeMatches
    """Matches left after unstable landmarks and re-ranked images are dropped."""
    cues: tuple[Cue, ...]
    """Cues, each over all matches."""
    bound_factors: Float64 | None
    """(R,) factor of the inlier bound of each match; None for equal bounds."""
    noise_axes: Float64 | None = None
    """(R, 3) noise of each match's point (``Correspondences``); None if unknown."""


@dataclass(frozen=True, eq=False)
class WeightedMatches:
    """Weighted correspondences of one cluster of map images."""

    correspondences: Correspondences
    weights: MatchWeights
    cue_counts: Mapping[str, int]
    """NAME_touched and NAME_lowered: matches that each cue spoke about, and against."""
    map_idx: int
    """Map that the matches are with; its features have a pixel noise of their own."""


def wants_labels(config: Config) -> bool:
    """True if any use of semantic labels is switched on."""
    exponents = cue_exponents(config.weighting)
    in_use = any(exponents[name] > 0 for name in ("semantics", VIEW_SEMANTICS))
    return in_use or config.semantics.rerank_keep > 0


@dataclass(frozen=True, eq=False)
class ExtraCue:
    """Cue of another package."""

    name: str
    computer: CueComputer
    exponent: float
    """Exponent of its factors in a match's weight."""


class MatchWeigher:
    """Computes cues about matches with one map from the map, its labels and predicted depth.

    Args:
        lifter: gives points and their track lengths and errors.
        config: cues in use and their exponents; those not in use are not computed.
        extra_cues: cues of other packages.
        with_labels: True if queries have semantic labels, and their cues are in use.

    Raises:
        ConfigError: labels are in use, but the map has none.
    """

    def __init__(
        self,
        sfm_map: Map,
        lifter: Lifter,
        config: Config,
        extra_cues: Sequence[ExtraCue] = (),
        *,
        with_labels: bool,
    ) -> None:
        self._map, self._lifter, self._config = sfm_map, lifter, config
        self._extra_cues = tuple(extra_cues)
        exponents = cue_exponents(config.weighting)
        self._used = {name for name, exponent in exponents.items() if exponent > 0}
        self._bound_factors = _bound_factors(lifter, config)
        self._noise_axes: Float64 | None = None
        sigmas = sfm_map.landmark_sigmas
        if sigmas is not None and len(sigmas) == lifter.num_points:
            self._noise_axes = noise_axes(sfm_map.model, sigmas)
        self._with_labels = with_labels
        if not with_labels:
            return
        labels = sfm_map.landmark_labels
        if labels is None:
            raise ConfigError(
                f"semantics.source = {config.semantics.source} gives labels of queries, which are "
                f"compared with labels of the map's points, but this map has none: build it with "
                f"the same --labels SOURCE, or localize with --labels none"
            )
        self._labels: UInt8 = trusted_labels(labels.labels, labels.shares, config.semantics)
        self._shares = labels.shares
        self._stability = landmark_weights(labels, config.semantics).weights

    def with_points(self, lifter: Lifter) -> MatchWeigher:
        """Weigher with other points of the same numbers."""
        other = copy(self)
        other._lifter, other._bound_factors = lifter, _bound_factors(lifter, self._config)
        return other

    @property
    def point_labels(self) -> UInt8 | None:
        """(M,) trusted labels of the map points; None if labels are not in use."""
        return self._labels if self._with_labels else None

    def compute_cues(
        self,
        query: Query,
        map_matches: MapMatches,
        putative: PutativeMatches,
        quick_pose: QuickPose,
    ) -> MatchCues:
        """Compute the cues in use about lifted matches.

        Args:
            map_matches: matches of the query with the images of this map.
            putative: the same matches, lifted to its points.
            quick_pose: estimates the pose from one image's matches, for ``view_semantics``.
        """
        keypoints, hits = map_matches.features.keypoints, map_matches.hits
        windows, depth_map = query.predictions.windows, query.predictions.depth_map
        if self._with_labels:
            putative = putative.subset(self._stability[putative.point3D_idxs] > 0)
        if windows is not None:
            putative = putative.subset(self._from_kept_images(keypoints, hits, putative, windows))
        points = putative.point3D_idxs
        cues = []
        if "score" in self._used:
            cues.append(score_cue(putative.scores))
        if "retrieval" in self._used:
            cues.append(retrieval_cue(hits.similarities, putative.hit_idxs))
        if "track" in self._used:
            lengths = self._lifter.track_lengths_of(points)
            errors = self._lifter.errors_px_of(points)
            cues.append(track_cue(lengths, errors, self._config.weighting))
        if windows is not None and "semantics" in self._used:
            cues.append(self._semantic_cue(keypoints, putative, windows))
        if windows is not None and VIEW_SEMANTICS in self._used:
            scores = []
            for index, name in enumerate(hits.names):
                rows = putative.subset(putative.hit_idxs == index)
                scores.append(
                    self._view_score(name, keypoints, rows, query.camera, windows, quick_pose)
                )
            cues.append(view_semantics_cue(putative, scores, self._config.semantics))
        if depth_map is not None:
            poses = self._poses(hits)
            cues.append(depth_cue(putative, keypoints, depth_map, poses, self._config.depth))
        for extra in self._extra_cues:
            cue = extra.computer.compute(
                putative, query.photo, map_matches.features, hits, self._lifter
            )
            cues.append(replace(cue, name=extra.name, exponent=extra.exponent))
        factors = None if self._bound_factors is None else self._bound_factors[points]
        axes = None if self._noise_axes is None else self._noise_axes[points]
        return MatchCues(putative, tuple(cues), factors, axes)

    def _from_kept_images(
        self,
        keypoints: Float32,
        hits: RetrievalHits,
        putative: PutativeMatches,
        windows: LabelWindows,
    ) -> Bool:
        """(R,) True for matches with images that stay among the best after semantic re-ranking."""
        config = self._config.semantics
        if config.rerank_keep == 0:
            return np.ones(len(putative), bool)
        labels = self._labels[putative.point3D_idxs]
        agreement = label_agreement(keypoints[putative.keypoint_idxs], windows, labels, config)
        weights = semantic_consistency_weights(putative, agreement, len(hits.names))
        counts = labelled_counts(putative, agreement, len(hits.names))
        order = rerank(hits, weights, counts, config)
        return np.isin(putative.hit_idxs, order[: config.rerank_keep])

    def _semantic_cue(
        self, keypoints: Float32, putative: PutativeMatches, windows: LabelWindows
    ) -> Cue:
        points = putative.point3D_idxs
        cue = semantic_check(
            keypoints[putative.keypoint_idxs],
            windows,
            self._labels[points],
            self._shares[points],
            self._config.semantics,
        )
        stability = self._stability[points]
        return Cue(cue.name, cue.factors * stability, cue.touched | (stability < 1))

    def _view_score(
        self,
        image_name: str,
        keypoints: Float32,
        putative: PutativeMatches,
        camera: Camera,
        windows: LabelWindows,
        quick_pose: QuickPose,
    ) -> PoseLabelAgreement | None:
        """Label agreement under the pose that the matches with one image give; None without."""
        weights = combine_cues(putative, [], self._config.weighting)
        factors = None
        if self._bound_factors is not None:
            factors = self._bound_factors[putative.point3D_idxs]
        pose = quick_pose(weights.correspondences(keypoints, factors))
        if pose is None:
            return None
        observed = observed_points(self._lifter.points_of(image_name))
        xyz, labels = self._lifter.xyz_of(observed), self._labels[observed]
        return pose_label_agreement(pose, camera, xyz, labels, windows, self._config.semantics)

    def _poses(self, hits: RetrievalHits) -> list[Rigid3]:
        images = [self._map.model.image_named(name) for name in hits.names]
        return [image.cam_from_world for image in images if image is not None]


def weigh(
    cues_of_maps: Sequence[tuple[int, MatchCues, Sequence[Int64]]],
    keypoints: Float32,
    config: Config,
) -> list[WeightedMatches]:
    """Weigh the matches of each map and cluster of its images.

    Args:
        cues_of_maps: index of the map, its renumbered cues, and (C,) retrieved images of each of
            its clusters.
        keypoints: (N, 2) keypoints of all maps, pixels.
    """
    weighted = []
    for map_idx, cues, clusters in cues_of_maps:
        for cluster in clusters:
            rows = np.flatnonzero(np.isin(cues.matches.hit_idxs, cluster))
            some = [cue.subset(rows) for cue in cues.cues]
            weights = combine_cues(cues.matches.subset(rows), some, config.weighting)
            factors = None if cues.bound_factors is None else cues.bound_factors[rows]
            axes = None if cues.noise_axes is None else cues.noise_axes[rows]
            correspondences = weights.correspondences(keypoints, factors, axes)
            weighted.append(
                WeightedMatches(correspondences, weights, _cue_counts(weights), map_idx)
            )
    return weighted


def _bound_factors(lifter: Lifter, config: Config) -> Float64 | None:
    if config.weighting.bound_exponent == 0:
        return None
    every = np.arange(lifter.num_points)
    lengths, errors = lifter.track_lengths_of(every), lifter.errors_px_of(every)
    return bound_factors(landmark_noise(lengths, errors), lengths, config.weighting)


def _cue_counts(weights: MatchWeights) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, each in weights.counts.items():
        counts |= {f"{name}_touched": each.touched, f"{name}_lowered": each.lowered}
    return counts
