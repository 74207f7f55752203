"""What a query is matched with, from cheap to dear, until its pose is sure.

First the landmarks that few retrieved images see, all at once; then those of all of them; then, few
by few, the images themselves by the map's matcher, the likeliest first. Each step adds to what the
ones before found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.localize.image_queue import ImageQueue
from hloc_lite.localize.layers import Layer
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.types import (
    Camera,
    Int64,
    LocalFeatures,
    LocalizationResult,
    Matches,
    Photo,
    RetrievalHits,
)


@dataclass(frozen=True, eq=False)
class SeenQuery:
    """A query before it is matched."""

    photo: Photo
    camera: Camera
    calibrated: bool
    """False: the focal length of ``camera`` is only a start."""
    features: tuple[LocalFeatures, ...]
    """Of each layer."""
    hits: RetrievalHits


Solve = Callable[[MatchedQuery], LocalizationResult]


class Cascade:
    """Steps towards a pose in one map, each taken only while no pose is sure and time is left."""

    def __init__(self, layers: Sequence[Layer], config: Config) -> None:
        self._layers, self._config = tuple(layers), config
        self._image_s = 0.0
        """What matching one image took the last time, in whichever thread: for budgets only."""

    def answer(
        self, seen: SeenQuery, solve: Solve, clock: StageClock, budget_ms: float | None = None
    ) -> LocalizationResult:
        """The pose of the last step that was made, which knows all that those before knew.

        Not the surest of all: of many steps towards a pose that is not to be had, one may seem
        sure by chance (two of 60 photos of another town did).

        Args:
            solve: a pose from matches.
            clock: of the query; what it shows already counts.
            budget_ms: no step is begun after it, nor one that would likely end after it; the first
                is always made.
        """
        cascade, hits = self._config.cascade, seen.hits
        few = hits.first(cascade.num_initial_images)
        query = self.match_landmarks(seen, few, clock)
        result = solve(query)
        if not self._is_sure(result) and len(few.names) < len(hits.names):
            what = f"landmarks of {len(hits.names) - len(few.names)} more images"
            if _is_late(clock, budget_ms, 0.0):
                skipped = (what, "images by the matcher") if cascade.max_images > 0 else (what,)
                counts = {**result.counts, "images_matched": 0}
                return replace(result, skipped=skipped, counts=counts)
            query = self.match_landmarks(seen, hits, clock)
            result = solve(query)
        matched = 0
        if not self._is_sure(result):
            result, matched = self._by_images(seen, query, result, solve, clock, budget_ms)
        return replace(result, counts={**result.counts, "images_matched": matched})

    def _by_images(
        self,
        seen: SeenQuery,
        query: MatchedQuery,
        result: LocalizationResult,
        solve: Solve,
        clock: StageClock,
        budget_ms: float | None,
    ) -> tuple[LocalizationResult, int]:
        """What images matched one by one make of a query and its result by landmarks, and how many
        were matched."""
        cascade, queue, matched = self._config.cascade, ImageQueue(query), 0
        most = min(cascade.max_images, len(query.hits.names))
        while matched < most:
            count = min(cascade.images_per_step, most - matched)
            if _is_late(clock, budget_ms, self._image_s * count):
                what = f"{most - matched} images by the matcher"
                return replace(result, skipped=(what,)), matched
            found = self._match_some(seen, query.hits.subset(queue.next(count)), clock)
            queue.answered(found)
            query = with_images(query, found)
            result = solve(query)
            matched += count
            if result.pose is not None or self._is_hopeless(result):
                break  # a pose that is given is as good as any that more images would give
        return result, matched

    def match_images(self, seen: SeenQuery, hits: RetrievalHits, clock: StageClock) -> MatchedQuery:
        """The query matched with each of some retrieved images by the map's matcher."""
        with clock("matching"):
            pairs = zip(self._layers, seen.features, strict=True)
            found = [layer.match(features, hits) for layer, features in pairs]
            return _joined(seen, found, [layer.learned for layer in self._layers])

    def match_landmarks(
        self, seen: SeenQuery, hits: RetrievalHits, clock: StageClock
    ) -> MatchedQuery:
        """The query matched with the landmarks that some retrieved images see."""
        with clock("matching"):
            pairs = zip(self._layers, seen.features, strict=True)
            found = [layer.match_landmarks(features, hits) for layer, features in pairs]
            return _joined(seen, found, [False] * len(found))

    def _match_some(self, seen: SeenQuery, hits: RetrievalHits, clock: StageClock) -> MatchedQuery:
        before = clock.seconds.get("matching", 0.0)
        found = self.match_images(seen, hits, clock)
        self._image_s = (clock.seconds["matching"] - before) / len(hits.names)
        return found

    def _is_hopeless(self, result: LocalizationResult) -> bool:
        """Likely of another place altogether; unknown if nobody judges."""
        confidence = result.confidence or 0.0  # none where there is no pose at all
        return self._config.confidence.enabled and confidence < self._config.cascade.reject_below

    def _is_sure(self, result: LocalizationResult) -> bool:
        if result.confidence is None:  # nobody judges: a pose is a pose
            return result.pose is not None
        return result.confidence >= self._config.cascade.accept_above


def _is_late(clock: StageClock, budget_ms: float | None, more_s: float) -> bool:
    return budget_ms is not None and 1000 * (sum(clock.seconds.values()) + more_s) > budget_ms


def with_images(query: MatchedQuery, images: MatchedQuery) -> MatchedQuery:
    """All matches of both: with landmarks, and with some of the images."""
    parts = []
    for own, other in zip(query.layers, images.layers, strict=True):
        both = {name: _together(own.matched[name], pair) for name, pair in other.matched.items()}
        learned = own.learned or other.learned
        parts.append(replace(own, matched={**own.matched, **both}, learned=learned))
    return replace(parts[0], others=tuple(parts[1:]))


def _together(one: tuple[Matches, Int64], other: tuple[Matches, Int64]) -> tuple[Matches, Int64]:
    (first_matches, first_points), (more, points) = one, other
    indices = np.concatenate(
        [first_matches.indices, more.indices + np.array([[0, len(first_points)]])]
    )
    scores = np.concatenate([first_matches.scores, more.scores])
    return Matches(indices, scores), np.concatenate([first_points, points])


def _joined(
    seen: SeenQuery,
    found: Sequence[tuple[RetrievalHits, Mapping[str, tuple[Matches, Int64]]]],
    learned: Sequence[bool],
) -> MatchedQuery:
    first_layer, *others = (
        MatchedQuery(seen.photo, seen.camera, seen.calibrated, features, hits, matched, by_learned)
        for features, (hits, matched), by_learned in zip(seen.features, found, learned, strict=True)
    )
    return replace(first_layer, others=tuple(others))
