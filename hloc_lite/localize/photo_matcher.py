"""Matches a query with map photos by a matcher that finds keypoints itself.

The map's keypoints are those that the matcher found when the map was made. A match is taken for the
nearest of them; the query's own keypoints are merged over all its pairs, so that one keypoint can
have the points of several images.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from hloc_lite.clock import StageClock
from hloc_lite.config import CascadeConfig
from hloc_lite.errors import ConfigError, ImageError
from hloc_lite.localize.cascade import ImageTiming, MatchingStep, in_photo, upright_photo
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.query import ImageMatches, MapMatches, NoKeypoints, Query
from hloc_lite.maps.map import Map
from hloc_lite.matching.keypoint_aggregation import aggregate_keypoints
from hloc_lite.protocols import Lifter, Matcher, PairMatcher
from hloc_lite.types import LocalFeatures, Matches, PairMatches, Photo, RetrievalHits

logger = logging.getLogger(__name__)
CACHED_PHOTOS = 16
"""Decoded map photos in memory; matchers keep what they compute of a photo as long."""
QUERY = "\0query"
"""Name of the query among the map images: none is called so."""


class PhotoMapMatcher(MapMatcher):
    """A map with its photos, and a matcher of photos.

    Args:
        pair_matcher: finds the keypoints in both photos.
        landmark_matcher: never called: the points have no descriptors.
        lifter: gives the keypoints of the map images their points.
        cell_px: cell in which keypoints are merged, pixels.
        only_landmarks: take only keypoints that have a point.

    Raises:
        ConfigError: the map's photos or its keypoints are not at hand.
    """

    finds_keypoints = True

    def __init__(
        self,
        sfm_map: Map,
        pair_matcher: PairMatcher,
        landmark_matcher: Matcher,
        lifter: Lifter,
        *,
        cell_px: float,
        cached_images: int,
        only_landmarks: bool,
    ) -> None:
        super().__init__(
            sfm_map,
            NoKeypoints(),
            landmark_matcher,
            landmark_matcher,
            lifter,
            is_learned=True,
            cached_images=cached_images,
            only_landmarks=only_landmarks,
        )
        _check_has_photos(sfm_map)
        self._pair_matcher, self._cell_px = pair_matcher, cell_px
        self._load = lru_cache(CACHED_PHOTOS)(self._photo_of)

    def match_images(
        self, photo: Photo, features: LocalFeatures, hits: RetrievalHits
    ) -> MapMatches:
        """Match a query with the photo of each of the retrieved images."""
        own = self._known(hits)
        return self.merged(photo, self.match_photos(photo, own), own)

    def match_landmarks(self, features: LocalFeatures, hits: RetrievalHits) -> MapMatches:
        """Not possible: the points of such a map have no descriptors. Raises ConfigError."""
        raise ConfigError(
            "the map was made by a matcher of photos, so its points have no descriptors: set "
            "localize.matching=images"
        )

    def match_photos(self, photo: Photo, hits: RetrievalHits) -> dict[str, PairMatches]:
        """Matches of map photos (first) with a query (second) by name; unreadable ones are left
        out with a warning."""
        found = {}
        for name in self._known(hits).names:
            try:
                map_photo = self._load(name)
            except ImageError as error:
                logger.warning("map photo %r is not matched: %s", name, error)
                continue
            # the map image first, as in half of its own pairs: some matchers find the first
            # keypoint on a grid, so the same one is found again
            (found[name],) = self._pair_matcher.match_photos([(map_photo, photo)])
        return found

    def merged(
        self, photo: Photo, found: Mapping[str, PairMatches], hits: RetrievalHits
    ) -> MapMatches:
        """Matches of a query's merged keypoints with those of the map images.

        Args:
            found: matches by name, as of ``match_photos``.
            hits: all images that were retrieved.
        """
        own = self._known(hits).subset(
            [row for row, name in enumerate(self._known(hits).names) if name in found]
        )
        images = {name: self.image_features(name) for name in own.names}
        pairs = {(name, QUERY): found[name] for name in own.names}
        fixed = {name: features for name, (features, _) in images.items()}
        features, matches = aggregate_keypoints(pairs, cell_px=self._cell_px, fixed=fixed)
        by_image = {
            name: ImageMatches(_flipped(matches[name, QUERY]), points)
            for name, (_, points) in images.items()
        }
        (none,) = self.extractor.extract([photo])
        return MapMatches(features.get(QUERY, none), own, by_image, True)

    def _photo_of(self, name: str) -> Photo:
        assert self.map.photos is not None  # checked at first
        return self.map.photos.load(name)


def photo_steps(
    query: Query,
    hits: RetrievalHits,
    matcher: PhotoMapMatcher,
    config: CascadeConfig,
    timing: ImageTiming,
    clock: StageClock,
) -> Iterator[MatchingStep]:
    """Yield matches with a few more photos at a time, most similar first, until the caller stops.

    Args:
        timing: read and updated for time budgets.
        clock: receives the time of ``matching``.
    """
    max_images = min(config.max_images or config.num_initial_images, len(hits.names))
    photo = upright_photo(query)
    found: dict[str, PairMatches] = {}
    for start in range(0, max(1, max_images), config.images_per_step):
        end = min(start + config.images_per_step, max_images)
        chosen = hits.subset(list(range(start, end)))
        before = clock.seconds.get("matching", 0.0)
        with clock("matching"):
            found |= matcher.match_photos(photo, chosen)
            matches = matcher.merged(photo, found, hits)
        if end > start:
            timing.seconds = (clock.seconds["matching"] - before) / (end - start)
        left = max_images - end
        remaining = (f"{left} images by the matcher",) if left > 0 else ()
        next_s = timing.seconds * min(left, config.images_per_step)
        yield MatchingStep(in_photo(query, [matches]), end, None, remaining, next_s)


def _check_has_photos(sfm_map: Map) -> None:
    """Raise ConfigError without photos or keypoints of the map images."""
    if any(image.keypoints is None for image in sfm_map.model.images[:1]):
        raise ConfigError(
            "a compact map keeps no keypoints of its images, and a matcher of photos needs them "
            "and the photos: localize in the full map, or with the features that the compact map "
            "was made of (matching.name=auto)"
        )
    if sfm_map.photos is not None:
        return
    folder = sfm_map.report.get("images_folder")
    where = f"{folder!r} is not there or not what the map was made of" if folder else "unknown"
    raise ConfigError(
        f"the matcher takes photos, but the photos of the map are not at hand (folder: {where}): "
        f"put them back, or give a map of features another matcher (matching.name=auto)"
    )


def _flipped(matches: Matches) -> Matches:
    return Matches(matches.indices[:, ::-1], matches.scores)


def only_photo_matcher(matchers: Sequence[MapMatcher]) -> PhotoMapMatcher | None:
    """The matcher of photos; None if queries are matched by features."""
    first = matchers[0]
    return first if isinstance(first, PhotoMapMatcher) else None
