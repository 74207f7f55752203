"""Matches a query with the retrieved images of one map, or with the landmarks they observe."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from threading import Lock

import numpy as np

from hloc_lite.localize.query import ImageMatches, MapMatches
from hloc_lite.localize.view_overlap import ViewOverlap
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.protocols import FeatureExtractor, Lifter, Matcher
from hloc_lite.scene import observed_points
from hloc_lite.types import NO_POINT, Int64, LocalFeatures, Matches, RetrievalHits

NO_MATCHES = Matches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))


class MapMatcher:
    """One map with the networks that match photos with it.

    Args:
        extractor: extractor of the map's features.
        matcher: matcher of two images.
        landmark_matcher: nearest-neighbour matcher of a query with landmarks.
        lifter: gives the keypoints of the map images their points.
        landmark_descriptors: descriptors of these points; None to compute their means.
        is_learned: True if ``matcher`` is a learned one.
        cached_images: number of map images whose features stay in memory.
        only_landmarks: match only keypoints that have a point.
        min_matches: images matched one by one that have fewer matches are left out.
        overlap: finds images with overlapping views, in maps from depth; None to go by shared
            points alone.
    """

    def __init__(
        self,
        sfm_map: Map,
        extractor: FeatureExtractor,
        matcher: Matcher,
        landmark_matcher: Matcher,
        lifter: Lifter,
        landmark_descriptors: LandmarkDescriptors | None = None,
        *,
        is_learned: bool,
        cached_images: int,
        only_landmarks: bool,
        min_matches: int = 0,
        overlap: ViewOverlap | None = None,
    ) -> None:
        self.map, self.extractor, self.lifter = sfm_map, extractor, lifter
        self._matcher, self._landmark_matcher = matcher, landmark_matcher
        self._is_learned, self._only_landmarks = is_learned, only_landmarks
        self._descriptors = landmark_descriptors
        self._descriptors_lock = Lock()
        self._cached_images, self._min_matches, self._overlap = cached_images, min_matches, overlap
        self.image_features = lru_cache(cached_images)(self._image_features)
        """(features, (N,) points) of a map image by name, kept in memory for the next queries."""
        self.image_names = lifter.image_names
        """Images that can contribute to a pose."""

    def with_points(self, lifter: Lifter, descriptors: LandmarkDescriptors) -> MapMatcher:
        """Matcher with the same networks and features, and other points."""
        other = copy(self)
        other.lifter, other.image_names = lifter, lifter.image_names
        if self._overlap is not None:
            other._overlap = ViewOverlap(self.map.model, lifter, self._overlap.min_share)
        other._descriptors, other._descriptors_lock = descriptors, Lock()
        other.image_features = lru_cache(self._cached_images)(other._image_features)
        return other

    def match_images(self, features: LocalFeatures, hits: RetrievalHits) -> MapMatches:
        """Match a query with each of the retrieved images that this map has."""
        own = self._known(hits)
        if len(features) == 0 or not own.names:
            return MapMatches(features, own, {}, self._is_learned)
        images = [self.image_features(name) for name in own.names]
        found = self._matcher.match([(features, image) for image, _ in images])
        by_image = {
            name: ImageMatches(matches if len(matches) >= self._min_matches else NO_MATCHES, points)
            for name, matches, (_, points) in zip(own.names, found, images, strict=True)
        }
        return MapMatches(features, own, by_image, self._is_learned, self._overlaps(own))

    def match_landmarks(self, features: LocalFeatures, hits: RetrievalHits) -> MapMatches:
        """Match a query with all landmarks that the retrieved images observe, at once.

        A match counts for each of the images that observe its landmark.
        """
        own = self._known(hits)
        if len(features) == 0 or not own.names:
            return MapMatches(features, own, {}, False)
        observed = {name: observed_points(self.lifter.points_of(name)) for name in own.names}
        pool = np.unique(np.concatenate(list(observed.values())))
        descriptors, owners = self.landmark_descriptors.rows_of(pool)
        no_pixels = np.zeros((len(owners), 2), np.float32)
        landmarks = LocalFeatures(no_pixels, descriptors, no_pixels[:, 0], features.image_size)
        (found,) = self._landmark_matcher.match([(features, landmarks)])
        by_image = _split_by_image(found, owners, observed)
        return MapMatches(features, own, by_image, False, self._overlaps(own))

    @property
    def landmark_descriptors(self) -> LandmarkDescriptors:
        """Descriptors of the points, computed when a query first needs them."""
        with self._descriptors_lock:  # several threads may be first, and all features are read
            if self._descriptors is None:
                self._descriptors = mean_descriptors(self.map, self.lifter)
        return self._descriptors

    def _image_features(self, name: str) -> tuple[LocalFeatures, Int64]:
        features, points = self.map.features[name], self.lifter.points_of(name)
        if not self._only_landmarks:
            return features, points
        kept = points != NO_POINT
        return features.subset(kept), points[kept]

    def _overlaps(self, hits: RetrievalHits) -> list[tuple[str, str]]:
        return [] if self._overlap is None else self._overlap.pairs(hits.names)

    def _known(self, hits: RetrievalHits) -> RetrievalHits:
        return hits.subset([i for i, name in enumerate(hits.names) if name in self.image_names])


def _split_by_image(
    found: Matches, owners: Int64, observed: Mapping[str, Int64]
) -> dict[str, ImageMatches]:
    """Turn matches with landmarks into matches with all the images that observe them.

    Args:
        found: K matches of a query (first) with descriptors (second).
        owners: (R,) landmark that each descriptor belongs to.
        observed: landmarks that each image observes, ascending.
    """
    points = owners[found.indices[:, 1]]
    by_image = {}
    for name, own in observed.items():
        rows = np.minimum(np.searchsorted(own, points), len(own) - 1)
        is_own = own[rows] == points
        indices = np.stack([found.indices[is_own, 0], rows[is_own]], axis=1)
        by_image[name] = ImageMatches(Matches(indices, found.scores[is_own]), own)
    return by_image
