"""Evidence about a query's matches, and the weights it makes of them."""

from __future__ import annotations

from collections.abc import Sequence

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
from hloc_lite.consistency.depth_check import depth_cue
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.consistency.semantic_check import semantic_check
from hloc_lite.mapping.map import Map
from hloc_lite.registry import DepthModel, Segmenter
from hloc_lite.types import (
    NO_POINT,
    Bool,
    Cue,
    Int64,
    LocalFeatures,
    Photo,
    RetrievalHits,
    Sightings,
)


class Witnesses:
    """What can be asked about a match: the map, and the networks for labels and depth.

    Args:
        place: the map.
        config: which cues count, and how much.
        segmenter: of queries; None: labels say nothing.
        depth: of queries; None: depth says nothing.
    """

    def __init__(
        self, place: Map, config: Config, segmenter: Segmenter | None, depth: DepthModel | None
    ) -> None:
        self._place, self._config = place, config
        used = {name for name, exponent in exponents_of(config.weighting).items() if exponent > 0}
        self._used = used
        self._segmenter = segmenter if "semantics" in used else None
        self._depth = depth if "depth" in used else None
        self._track_lengths = _track_lengths(place)
        labels = place.landmark_labels
        self._landmark_weights = None
        if self._segmenter is not None and labels is not None:
            self._landmark_weights = landmark_weights(labels, config.semantics).weights

    def kept(self, sightings: Sightings) -> Bool:
        """(R,) matches of landmarks that are not dropped for what they are a part of."""
        if self._landmark_weights is None:
            return np.ones(len(sightings), bool)
        return np.asarray(self._landmark_weights[sightings.point3D_idxs] > 0)

    def cues(
        self, photo: Photo, features: LocalFeatures, hits: RetrievalHits, sightings: Sightings
    ) -> list[Cue]:
        """What each kind of evidence says of the matches; kinds that are off are not computed."""
        points = sightings.point3D_idxs
        found = []
        if "score" in self._used:
            found.append(score_cue(sightings.scores))
        if "retrieval" in self._used:
            found.append(retrieval_cue(hits.similarities, sightings.hit_idxs))
        if "track" in self._used:
            errors = self._place.model.errors_px[points]
            found.append(track_cue(self._track_lengths[points], errors, self._config.weighting))
        semantics = self._semantics(photo, features, sightings)
        depth = self._depths(photo, features, hits, sightings)
        return [*found, *(cue for cue in (semantics, depth) if cue is not None)]

    def _semantics(self, photo: Photo, features: LocalFeatures, sightings: Sightings) -> Cue | None:
        labels = self._place.landmark_labels
        if self._segmenter is None or labels is None or self._landmark_weights is None:
            return None
        (label_map,) = self._segmenter.segment([photo])
        if label_map is None:
            return None
        points = sightings.point3D_idxs
        cue = semantic_check(
            features.keypoints[sightings.keypoint_idxs],
            label_map,
            labels.labels[points],
            labels.shares[points],
            self._config.semantics,
        )
        weights = self._landmark_weights[points]
        return Cue(cue.name, cue.factors * weights, cue.touched | (weights < 1))

    def _depths(
        self, photo: Photo, features: LocalFeatures, hits: RetrievalHits, sightings: Sightings
    ) -> Cue | None:
        if self._depth is None:
            return None
        (depth_map,) = self._depth.predict([photo])
        if depth_map is None:
            return None
        model = self._place.model
        images = [model.image_named(name) for name in hits.names]
        poses = [image.cam_from_world for image in images if image is not None]
        return depth_cue(
            sightings, features.keypoints, depth_map, model.xyz, poses, self._config.depth
        )


def weigh(
    sightings: Sightings, cues: Sequence[Cue], selection: Int64 | Bool, config: Config
) -> Weighting:
    """Weights of the selected matches."""
    return combine(
        sightings.subset(selection),
        [Cue(cue.name, cue.factors[selection], cue.touched[selection]) for cue in cues],
        config.weighting,
    )


def counts_of(weighting: Weighting) -> dict[str, int]:
    """NAME_touched and NAME_lowered of each cue in use."""
    counts: dict[str, int] = {}
    for name, each in weighting.counts.items():
        counts |= {f"{name}_touched": each.touched, f"{name}_lowered": each.lowered}
    return counts


def _track_lengths(place: Map) -> Int64:
    lengths = np.zeros(place.model.num_points, np.int64)
    for image in place.model.images:
        lengths[np.unique(image.point3D_idxs[image.point3D_idxs != NO_POINT])] += 1
    return lengths
