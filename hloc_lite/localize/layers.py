"""Layers: maps of the same images at the same poses, each with local features of its own.

Each layer matches a query with the same retrieved images and makes evidence of its own, which
``testimony`` puts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np

from hloc_lite.config import Config
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.localize.checks import check_weights, for_landmarks, for_queries
from hloc_lite.localize.cues import Evidence, QuickPose, Seen, Witnesses
from hloc_lite.localize.lifting import Landmarks, landmarks_of, lift, shared_out
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.models import create_recorded, matcher_name
from hloc_lite.registry import (
    FEATURES,
    MATCHERS,
    DepthModel,
    FeatureExtractor,
    Matcher,
    Runtime,
    Segmenter,
    create,
    is_learned,
)
from hloc_lite.scene import SfmImage, visible_points
from hloc_lite.types import NO_POINT, Int64, LocalFeatures, Matches, Photo, RetrievalHits


class Networks(Protocol):
    """What a layer matches with."""

    @property
    def extractor(self) -> FeatureExtractor: ...

    @property
    def matcher(self) -> Matcher: ...


@dataclass(frozen=True, eq=False)
class _Networks:
    extractor: FeatureExtractor
    matcher: Matcher


class Layer:
    """One map with the networks that match photos with it.

    Args:
        place: the map.
        networks: made with its features and matcher.
        witnesses: of this map.
        nearest: matches with landmarks.
        learned: the networks' matcher is a learned one.
        cached_images: map images whose features stay in memory.
        only_landmarks: match only keypoints with a point.
    """

    def __init__(
        self,
        place: Map,
        networks: Networks,
        witnesses: Witnesses,
        nearest: Matcher,
        learned: bool,
        cached_images: int,
        only_landmarks: bool,
    ) -> None:
        self.map, self.witnesses, self._networks = place, witnesses, networks
        self._nearest, self.learned = nearest, learned
        self._only_landmarks = only_landmarks
        self._descriptors: LandmarkDescriptors | None = None
        self._making = Lock()
        self.landmarks_of = lru_cache(cached_images)(self._landmarks_of)
        """What a map image offers to be matched; kept in memory for the next queries."""
        self.useful_names = frozenset(
            image.name for image in place.model.images if (image.point3D_idxs != NO_POINT).any()
        )
        """Without points there is nothing an image could contribute to a pose."""

    def extract(self, photo: Photo) -> LocalFeatures:
        """The photo's features, of this layer's kind."""
        (features,) = self._networks.extractor.extract([photo])
        return features

    def match(
        self, features: LocalFeatures, hits: RetrievalHits
    ) -> tuple[RetrievalHits, dict[str, tuple[Matches, Int64]]]:
        """Those of the retrieved images that this layer has, and the matches with each of them."""
        own = self._own(hits)
        if len(features) == 0 or not own.names:
            return own, {}
        landmarks = [self.landmarks_of(name) for name in own.names]
        found = self._networks.matcher.match([(features, each.features) for each in landmarks])
        points = [each.point3D_idxs for each in landmarks]
        return own, dict(zip(own.names, zip(found, points, strict=True), strict=True))

    def testify(self, query: MatchedQuery, quick_pose: QuickPose, seen: Seen) -> Evidence:
        """What is known of the matches with this layer."""
        return self.witnesses.testify(query, lift(list(query.matched.values())), quick_pose, seen)

    def match_landmarks(
        self, features: LocalFeatures, hits: RetrievalHits
    ) -> tuple[RetrievalHits, dict[str, tuple[Matches, Int64]]]:
        """As ``match``, but with the landmarks that the images see, all at once: a match is one of
        all the images that see its landmark."""
        own = self._own(hits)
        if len(features) == 0 or not own.names:
            return own, {}
        seen = {name: visible_points(self._image(name)) for name in own.names}
        pool = np.unique(np.concatenate(list(seen.values())))
        descriptors, owners = self.landmark_descriptors.of(pool)
        nowhere = np.zeros((len(owners), 2), np.float32)
        landmarks = LocalFeatures(nowhere, descriptors, nowhere[:, 0], features.image_size)
        (found,) = self._nearest.match([(features, landmarks)])
        return own, shared_out(found, owners, seen)

    @property
    def landmark_descriptors(self) -> LandmarkDescriptors:
        """Of the map's landmarks (``landmark_descriptors_of``), made when a query first asks."""
        with self._making:  # many threads may be the first, and all features are read for it
            if self._descriptors is None:
                self._descriptors = landmark_descriptors_of(self.map)
        return self._descriptors

    def _landmarks_of(self, name: str) -> Landmarks:
        points, features = self._image(name).point3D_idxs, self.map.features[name]
        return landmarks_of(features, points, only_landmarks=self._only_landmarks)

    def _image(self, name: str) -> SfmImage:
        image = self.map.model.image_named(name)
        if image is None:
            raise HlocLiteError(f"the map's index names {name!r}, which is not in its model")
        return image

    def _own(self, hits: RetrievalHits) -> RetrievalHits:
        return hits.subset([i for i, name in enumerate(hits.names) if name in self.useful_names])


def further_layer(
    place: Map,
    config: Config,
    runtime: Runtime,
    segmenter: Segmenter | None,
    depth: DepthModel | None,
    cached_images: int,
) -> Layer:
    """A layer besides the first.

    Args:
        place: its map; features and matcher are those of its own config.
        config: the first map's, for all else.
        segmenter: of the first.
        depth: of the first.

    Raises:
        ConfigError: labels are in use, but this map has none.
        StaleArtefactError: its networks have changed.
    """
    own = {name: getattr(place.config, name) for name in ("features", "matching", "retrieval")}
    config = for_queries(config.model_copy(update=own))
    name, matching = config.features.name, matcher_name(config)
    extractor, used = create_recorded(FEATURES, name, config.features, runtime)
    matcher, with_matcher = create_recorded(MATCHERS, matching, config.matching, runtime)
    check_weights({**used, **with_matcher}, place.weights)
    try:
        witnesses = Witnesses(place, config, segmenter, depth)
    except ConfigError as error:
        raise ConfigError(f"the map of {name!r} features: {error}") from None
    networks = _Networks(extractor, matcher)
    nearest, learned = landmark_matcher(config, runtime), is_learned(matching)
    only_landmarks = config.localize.only_landmarks
    return Layer(place, networks, witnesses, nearest, learned, cached_images, only_landmarks)


def landmark_matcher(config: Config, runtime: Runtime) -> Matcher:
    """Nearest neighbours, as queries are matched with landmarks."""
    matcher: Matcher = create(MATCHERS, "mutual-nn", for_landmarks(config), runtime)
    return matcher
