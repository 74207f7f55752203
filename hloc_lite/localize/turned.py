"""Photos that lie on their side: found by retrieval, matched turned, answered as they were given.

Most local features are found again only if both photos are upright. A photo without EXIF rotation
may lie on its side, and then nothing matches. Retrieval tells which way is up: its descriptors see
the whole photo, and those of the map are upright.
"""

from __future__ import annotations

from dataclasses import replace

from hloc_lite.clock import StageClock
from hloc_lite.config import LocalizeConfig
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.quarter_turns import turned_back, turned_photo
from hloc_lite.localize.query import Query
from hloc_lite.localize.result import milliseconds
from hloc_lite.types import Camera, LocalizationResult, Photo, Prior, RetrievalHits


def may_lie(result: LocalizationResult, config: LocalizeConfig) -> bool:
    """True if so few matches agree with the pose that the photo may lie on its side."""
    num_matches = result.counts.get("correspondences", 0)
    enough = config.turn_max_inlier_share * num_matches
    return config.turn_failed and result.counts.get("inliers", 0) <= enough


def sureness(result: LocalizationResult) -> float:
    """Confidence of a result; without confidences 1 with a pose, else 0."""
    return float(result.pose is not None) if result.confidence is None else result.confidence


def retry_turned(
    pipeline: QueryPipeline,
    result: LocalizationResult,
    photo: Photo,
    camera: Camera,
    *,
    name: str,
    calibrated: bool,
    exclude: str | None,
    prior: Prior | None,
    budget_ms: float | None,
    max_wrong: float | None,
    clock: StageClock,
) -> LocalizationResult:
    """Localize a photo again, turned, if retrieval sees that it lies on its side.

    Args:
        result: unsure result of ``QueryPipeline.run``, whose arguments the others are.

    Returns:
        ``result``, or a surer one. All of it is in the frame of the photo as it was given.
    """
    hits = result.hits
    if not hits.names:
        return result
    if clock.is_late(budget_ms, 3 * clock.seconds.get("retrieval", 0.0)):
        return result
    with clock("retrieval"):
        turns, turned_hits = _find_up(pipeline, photo, hits, exclude, prior)
    if turns == 0:
        return replace(result, timings_ms=milliseconds(clock))
    if clock.is_late(budget_ms, clock.seconds.get("features", 0.0)):
        skipped = (*result.skipped, f"the photo turned by {_degrees(turns)}")
        return replace(result, timings_ms=milliseconds(clock), skipped=skipped)
    query = _describe_turned(pipeline, photo, camera, turns, clock, calibrated=calibrated)
    found = pipeline.localize(
        query, turned_hits, name, clock, prior, budget_ms, max_wrong=max_wrong
    )
    return _surer(result, found, turns)


def _find_up(
    pipeline: QueryPipeline,
    photo: Photo,
    hits: RetrievalHits,
    exclude: str | None,
    prior: Prior | None,
) -> tuple[int, RetrievalHits]:
    """Quarter turns that make a photo most similar to the map's, and what is retrieved then.

    0 turns if none makes it clearly more similar.
    """
    best, best_hits = 0, hits
    for turns in (1, 2, 3):
        found = pipeline.retrieve_for(turned_photo(photo, turns), exclude, prior)
        if found.similarities[0] > best_hits.similarities[0]:
            best, best_hits = turns, found
    gain = float(best_hits.similarities[0] - hits.similarities[0])
    return (best, best_hits) if gain >= pipeline.config.localize.turn_min_gain else (0, hits)


def _describe_turned(
    pipeline: QueryPipeline,
    photo: Photo,
    camera: Camera,
    turns: int,
    clock: StageClock,
    *,
    calibrated: bool,
) -> Query:
    """Describe the photo by the features of the turned one, in the frame of the photo as it is."""
    turned = turned_photo(photo, turns)
    with clock("features"):
        found = [matcher.extractor.extract([turned])[0] for matcher in pipeline.matchers]
    features = tuple([turned_back(each, turns) for each in found])
    with clock("cues"):
        predictions = pipeline.predictor.predict(photo)
    return Query(photo, camera, calibrated, features, predictions, turns)


def _surer(
    upright: LocalizationResult, turned: LocalizationResult, turns: int
) -> LocalizationResult:
    """The result of the turned photo if it has a surer pose, else that of the photo as it is."""
    lies = "is upside down" if turns == 2 else "lies on its side"
    if turned.pose is not None and sureness(turned) > sureness(upright):
        reason = f"{turned.reason}; the photo {lies}: turned by {_degrees(turns)} for matching"
        return replace(turned, reason=reason)
    reason = upright.reason
    if upright.pose is None:
        reason += f"; if the photo {lies}, turned by {_degrees(turns)} it fails, too"
    skipped = tuple(dict.fromkeys((*upright.skipped, *turned.skipped)))
    return replace(upright, reason=reason, timings_ms=turned.timings_ms, skipped=skipped)


def _degrees(turns: int) -> str:
    return {1: "90 degrees counter-clockwise", 2: "180 degrees", 3: "90 degrees clockwise"}[turns]
