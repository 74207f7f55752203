"""Localization of one photo in several maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.serve.map_pool import ServedMap
from hloc_lite.types import Camera, LocalizationResult, Photo, Prior, Status


@dataclass(frozen=True, eq=False)
class MultiMapResult:
    """Results of one photo in all maps that were tried."""

    best: LocalizationResult
    best_map: ServedMap
    results: Mapping[str, LocalizationResult]
    """Result by map name, in the order tried."""
    skipped: tuple[str, ...]
    """Descriptions of the steps and maps skipped to keep the time budget."""


def localize_in_maps(
    maps: Sequence[ServedMap],
    photo: Photo,
    camera: Camera | None,
    prior_for: Callable[[ServedMap], Prior | None],
    budget_ms: float | None,
    max_wrong: float | None = None,
    recalibrate: bool | None = None,
) -> MultiMapResult:
    """Localize a photo in each map and rank the results by status, confidence and inliers.

    The budget covers all maps together. Once it is spent, the remaining maps are skipped; the first
    map is always tried. ``max_wrong`` is promised for each map. ``recalibrate`` is that of
    ``Localizer.localize``. ``photo`` must not have the name of a map image: it would be taken for
    it.
    """
    start = time.perf_counter()
    results: dict[str, LocalizationResult] = {}
    skipped: list[str] = []
    for served_map in maps:
        left_ms = None if budget_ms is None else budget_ms - 1000 * (time.perf_counter() - start)
        if left_ms is not None and left_ms <= 0 and results:
            skipped.append(f"map {served_map.name}")
            continue
        result = served_map.localizer.localize(
            photo,
            camera,
            prior=prior_for(served_map),
            budget_ms=None if left_ms is None else max(left_ms, 1.0),
            max_wrong=max_wrong,
            recalibrate=recalibrate,
        )
        results[served_map.name] = result
        skipped += [f"{served_map.name}: {step}" for step in result.skipped]
    best = max(maps, key=lambda served_map: _rank(results.get(served_map.name)))
    return MultiMapResult(results[best.name], best, results, tuple(dict.fromkeys(skipped)))


def _rank(result: LocalizationResult | None) -> tuple[bool, bool, float, int]:
    if result is None:
        return False, False, -1.0, 0
    confidence = -1.0 if result.confidence is None else result.confidence
    inliers = int(result.counts.get("inliers", 0))
    return True, result.status is Status.LOCALIZED, confidence, inliers
