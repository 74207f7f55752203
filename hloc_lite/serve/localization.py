"""The one place where the service meets the localizer, and nothing else of the house is called."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hloc_lite.types import Camera, LocalizationResult, Photo, Prior, Status

if TYPE_CHECKING:
    from hloc_lite.mapping.map import Map
    from hloc_lite.serve.map_pool import ServedMap


class Locates(Protocol):
    """What is asked of a localizer; ``localize.localizer.Localizer`` is one."""

    @property
    def map(self) -> Map: ...

    def localize(
        self,
        image: Photo,
        camera: Camera | None = None,
        *,
        prior: Prior | None = None,
        budget_ms: float | None = None,
    ) -> LocalizationResult: ...


@dataclass(frozen=True, eq=False)
class Located:
    """What one photo is in several maps."""

    best: LocalizationResult
    best_map: ServedMap
    results: Mapping[str, LocalizationResult]
    """Map name -> result, in the order they were tried."""
    skipped: tuple[str, ...]
    """What was left out for lack of time, in words."""


def locate(
    maps: Sequence[ServedMap],
    photo: Photo,
    camera: Camera | None,
    prior_for: Callable[[ServedMap], Prior | None],
    budget_ms: float | None,
) -> Located:
    """Localize a photo in each map; the most confident answer is the best.

    The budget is for all maps together: one whose turn comes after its end is skipped, but the
    first. ``photo`` must not be named as a map image, which would be taken for the photo itself.
    """
    start = time.perf_counter()
    results: dict[str, LocalizationResult] = {}
    skipped: list[str] = []
    for each in maps:
        left_ms = None if budget_ms is None else budget_ms - 1000 * (time.perf_counter() - start)
        if left_ms is not None and left_ms <= 0 and results:
            skipped.append(f"map {each.name}")
            continue
        result = each.localizer.localize(
            photo,
            camera,
            prior=prior_for(each),
            budget_ms=None if left_ms is None else max(left_ms, 1.0),
        )
        results[each.name] = result
        skipped += [f"{each.name}: {what}" for what in result.skipped]
    best = max(maps, key=lambda each: _rank(results.get(each.name)))
    return Located(results[best.name], best, results, tuple(dict.fromkeys(skipped)))


def _rank(result: LocalizationResult | None) -> tuple[bool, bool, float, int]:
    if result is None:
        return False, False, -1.0, 0
    confidence = -1.0 if result.confidence is None else result.confidence
    inliers = int(result.counts.get("inliers", 0))
    return True, result.status is Status.LOCALIZED, confidence, inliers
