"""Coarse-to-fine matching: cheap steps first; the caller stops once the pose is confident.

First the landmarks that the best retrieved images observe, all at once. Then those of all retrieved
images. Then the images themselves, a few at a time, by the map's matcher. Each step adds to the
matches of the steps before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import CascadeConfig, Config
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.quarter_turns import turned_back, turned_photo
from hloc_lite.localize.query import ImageMatches, MapMatches, Query
from hloc_lite.localize.verification import VerifiedPose
from hloc_lite.scene import covisibility_clusters
from hloc_lite.types import Float64, Int64, LocalFeatures, Matches, Photo, RetrievalHits


@dataclass(frozen=True, eq=False)
class MatchingStep:
    """Matches so far, and when the caller may stop."""

    matches: tuple[MapMatches, ...]
    """Matches with each map, in the order of the maps."""
    num_images: int | None = None
    """Images matched one by one so far; None outside the cascade."""
    accept_above: float | None = None
    """Confidence at which no further step is needed; None: any pose that is given will do."""
    remaining: tuple[str, ...] = ()
    """Steps not tried yet, in words; empty after the last one."""
    next_s: float = 0.0
    """Expected time of the next step, in seconds."""
    with_landmarks: tuple[MapMatches, ...] | None = None
    """Nearest-neighbour matches with landmarks alone, if ``matches`` has others as well."""


class ImageTiming:
    """Time that matching one image took last, in whichever thread; only for time budgets."""

    def __init__(self) -> None:
        self.seconds = 0.0


def matching_steps(
    query: Query,
    hits: RetrievalHits,
    matchers: Sequence[MapMatcher],
    config: CascadeConfig,
    timing: ImageTiming,
    clock: StageClock,
) -> Iterator[MatchingStep]:
    """Yield the steps of coarse-to-fine matching, each with all matches so far.

    Args:
        hits: retrieved images, the most similar first.
        matchers: one for each map.
        timing: read and updated for time budgets.
        clock: receives the time of ``matching``.
    """
    few, accept_above = hits.first(config.num_initial_images), config.accept_above
    num_more = len(hits.names) - len(few.names)
    max_images = min(config.max_images, len(hits.names))
    count = min(config.images_per_step, max_images)
    images_left = _images_left(max_images)
    matches = match_landmarks(query, few, matchers, clock)
    if num_more > 0:
        remaining: tuple[str, ...] = (f"landmarks of {num_more} more images",)
        remaining += ("images by the matcher",) if config.max_images > 0 else ()
        yield MatchingStep(matches, 0, accept_above, remaining)
        matches = match_landmarks(query, hits, matchers, clock)
    yield MatchingStep(matches, 0, accept_above, images_left, timing.seconds * count)
    queue, num_images, with_landmarks = ImageQueue(hits, matches), 0, matches
    while num_images < max_images:
        chosen = hits.subset(queue.next(count))
        start = clock.seconds.get("matching", 0.0)
        found = match_images(query, chosen, matchers, clock)
        timing.seconds = (clock.seconds["matching"] - start) / count
        queue.record(chosen, found)
        matches = add_image_matches(matches, found)
        num_images += count
        count = min(config.images_per_step, max_images - num_images)
        images_left = _images_left(max_images - num_images)
        yield MatchingStep(
            matches, num_images, None, images_left, timing.seconds * count, with_landmarks
        )


def match_images(
    query: Query, hits: RetrievalHits, matchers: Sequence[MapMatcher], clock: StageClock
) -> tuple[MapMatches, ...]:
    """Match a query with each of the retrieved images, by the matcher of each map."""
    with clock("matching"):
        photo = upright_photo(query)
        pairs = zip(matchers, _upright_features(query), strict=True)
        found = [matcher.match_images(photo, features, hits) for matcher, features in pairs]
    return tuple(found) if query.quarter_turns == 0 else in_photo(query, found)


def match_landmarks(
    query: Query, hits: RetrievalHits, matchers: Sequence[MapMatcher], clock: StageClock
) -> tuple[MapMatches, ...]:
    """Match a query with the landmarks that the retrieved images observe."""
    with clock("matching"):
        pairs = zip(matchers, _upright_features(query), strict=True)
        found = [matcher.match_landmarks(features, hits) for matcher, features in pairs]
    return tuple(found) if query.quarter_turns == 0 else in_photo(query, found)


def _upright_features(query: Query) -> tuple[LocalFeatures, ...]:
    """Features in the frame of the photo turned upright: matchers look at positions, too."""
    if query.quarter_turns == 0:
        return query.features
    return tuple(turned_back(each, -query.quarter_turns) for each in query.features)


def upright_photo(query: Query) -> Photo:
    """Photo of a query, turned upright."""
    turns = query.quarter_turns
    return query.photo if turns == 0 else turned_photo(query.photo, turns)


def in_photo(query: Query, found: Sequence[MapMatches]) -> tuple[MapMatches, ...]:
    """Matches with the keypoints in the frame of the photo as it was given."""
    if query.quarter_turns == 0:
        return tuple(found)
    frames = []
    for of_map, features in zip(found, query.features, strict=True):
        is_new = len(features) != len(of_map.features)  # found by the matcher, in the turned photo
        own = turned_back(of_map.features, query.quarter_turns) if is_new else features
        frames.append(replace(of_map, features=own))
    return tuple(frames)


class ImageQueue:
    """Order in which retrieved images are matched one by one.

    Every other image is from the covisibility cluster that has matched best so far; the others are
    the likeliest of clusters not tried yet. Two streets that look alike match alike, so a pose in
    one proves little until the other was tried. More images of the best cluster make its pose sure.

    Args:
        matches: matches with the landmarks of all retrieved images.
    """

    def __init__(self, hits: RetrievalHits, matches: Sequence[MapMatches]) -> None:
        names, first = hits.names, matches[0].by_image
        self._scores = image_scores(hits, matches)
        self._rows = {name: row for row, name in enumerate(names)}
        points = {name: first[name].point3D_idxs for name in names if name in first}
        self._clusters = np.arange(len(names))
        """Cluster of each image, numbered by the row of one of its images."""
        for cluster in covisibility_clusters(points, matches[0].overlaps):
            rows = [self._rows[name] for name in cluster]
            self._clusters[rows] = rows[0]
        self._is_left = np.ones(len(names), bool)
        self._is_tried = np.zeros(len(names), bool)
        """Clusters with an image that was matched, by cluster."""
        self._best_scores = np.zeros(len(names))
        """Highest score that the matcher has given an image, by cluster."""

    def next(self, count: int) -> Int64:
        """Take the rows of the next images; there must be as many left."""
        return np.array([self._take() for _ in range(count)], np.int64)

    def record(self, hits: RetrievalHits, found: Sequence[MapMatches]) -> None:
        """Record the matches that the matcher found in images that were taken."""
        for name, score in zip(hits.names, image_scores(hits, found), strict=True):
            cluster = self._clusters[self._rows[name]]
            self._best_scores[cluster] = max(self._best_scores[cluster], score)

    def _take(self) -> int:
        fresh = self._is_left & ~self._is_tried[self._clusters]
        best = np.where(self._is_left, self._best_scores[self._clusters], -1.0)
        explores = (~self._is_left).sum() % 2 == 1 or best.max() <= 0
        candidates = fresh if explores and fresh.any() else best == best.max()
        row = int(np.argmax(np.where(candidates, self._scores, -1.0)))
        self._is_left[row], self._is_tried[self._clusters[row]] = False, True
        return row


def image_scores(hits: RetrievalHits, matches: Sequence[MapMatches]) -> Float64:
    """(k,) sum of match scores of each retrieved image, over all maps."""
    scores = np.zeros(len(hits.names))
    for of_map in matches:
        for row, name in enumerate(hits.names):
            if name in of_map.by_image:
                scores[row] += of_map.by_image[name].matches.scores.sum()
    return scores


def _images_left(count: int) -> tuple[str, ...]:
    return (f"{count} images by the matcher",) if count > 0 else ()


def add_image_matches(
    matches: Sequence[MapMatches], more: Sequence[MapMatches]
) -> tuple[MapMatches, ...]:
    """Add the matches with some images to those with landmarks, for each map."""
    return tuple(_joined(own, each) for own, each in zip(matches, more, strict=True))


def _joined(own: MapMatches, more: MapMatches) -> MapMatches:
    both = {name: _concatenated(own.by_image[name], each) for name, each in more.by_image.items()}
    is_learned = own.is_learned or more.is_learned
    return replace(own, by_image={**own.by_image, **both}, is_learned=is_learned)


def _concatenated(first: ImageMatches, second: ImageMatches) -> ImageMatches:
    offset = np.array([[0, len(first.point3D_idxs)]])
    indices = np.concatenate([first.matches.indices, second.matches.indices + offset])
    scores = np.concatenate([first.matches.scores, second.matches.scores])
    points = np.concatenate([first.point3D_idxs, second.point3D_idxs])
    return ImageMatches(Matches(indices, scores), points)


def is_decided(verified: VerifiedPose | None, accept_above: float | None, config: Config) -> bool:
    """Return True if a pose is good enough, or so unlikely that more images will not help.

    Args:
        verified: None if there was nothing to match.
        accept_above: confidence that is good enough; None for that of any pose that is given.
    """
    if verified is not None and verified.intrinsics_doubt:
        return True  # more matches do not mend them
    is_accepted = verified is not None and verified.is_accepted
    probability = None if verified is None else verified.probability
    if accept_above is not None:  # without confidence any pose will do
        return is_accepted if probability is None else probability >= accept_above
    is_rejected = (probability or 0.0) < config.cascade.reject_below
    return is_accepted or (config.confidence.enabled and is_rejected)
