"""Second run of a map from scratch with other features, where those asked for fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hloc_lite.config import Config, load_config
from hloc_lite.errors import HlocLiteError, RegistrationError
from hloc_lite.mapping.run import Run
from hloc_lite.maps.map import Map
from hloc_lite.models import load_models
from hloc_lite.registry import FEATURES, Runtime, find

logger = logging.getLogger(__name__)
MakeMaps = Callable[[Run], list[Map]]
"""Makes the maps of a run, best first; raises RegistrationError if there are none."""


def make_with_fallback(run: Run, make: MakeMaps) -> list[Map]:
    """Make the maps of a run; if too few images are registered, also with other features.

    The maps whose best model is stronger (``localizing_strength``) are returned. Their reports name
    the candidates of all features that made a map.

    Raises:
        MappingError: as ``make``, of the first run.
    """
    failure: RegistrationError | None = None
    try:
        maps = make(run)
    except RegistrationError as error:
        failure, maps = error, []
    if maps and _is_enough(maps[0].report, run.config):
        return maps
    config = with_fallback_features(run.config)
    if config is None:
        return _made(maps, failure)
    name, asked = config.features.name, run.config.features.name
    found = f"{maps[0].report['registered']} images" if maps else "no image"
    logger.warning("%s registered with %s: trying %s", found, asked, name)
    try:
        models = load_models(config, Runtime(run.weights, run.device))
        other = make(replace(run, config=config, models=models, variant=f"{name}-"))
    except HlocLiteError as error:
        logger.warning("%s failed as well: %s", name, error)
        return _made(maps, failure)
    best, worse = (other, maps) if _strength(other) > _strength(maps) else (maps, other)
    chosen = best[0].config.features.name
    if chosen != asked:
        logger.warning("the map has features %s instead of %s", chosen, asked)
    return [_with_candidates_of(each, worse) for each in best]


def with_fallback_features(config: Config) -> Config | None:
    """Config with the features of ``scratch.fallback_features``, their matcher and tuned defaults.

    Returns:
        None if there are none, or they are in use already.
    """
    name = config.scratch.fallback_features
    if name in ("none", config.features.name) or find(FEATURES, name) is None:
        return None
    fresh = load_config(overrides={"features": {"name": name}})
    entries = (find(FEATURES, name), find(FEATURES, config.features.name))
    tuned = {section for entry in entries if entry is not None for section in entry.defaults}
    sections = {"features", "matching", *tuned}
    return config.model_copy(update={section: getattr(fresh, section) for section in sections})


def _is_enough(report: Mapping[str, Any], config: Config) -> bool:
    """Return True if enough of the images that could be used are registered.

    Copies and damaged files have no keypoints, and do not count.
    """
    usable = sum(each["keypoints"] > 0 for each in report["images"].values())
    return bool(report["registered"] >= config.scratch.min_registered_share * usable)


def _made(maps: list[Map], failure: RegistrationError | None) -> list[Map]:
    """Maps of the first run; raises the error that ended it."""
    if failure is not None:
        raise failure
    return maps


def _strength(maps: Sequence[Map]) -> float:
    return float(maps[0].report["models"][0]["strength"]) if maps else -1.0


def _with_candidates_of(sfm_map: Map, worse: Sequence[Map]) -> Map:
    candidates = [*sfm_map.report["candidates"]]
    candidates += worse[0].report["candidates"] if worse else []
    return replace(sfm_map, report={**sfm_map.report, "candidates": candidates})
