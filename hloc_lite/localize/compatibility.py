"""Checks that a localizer fits its maps: same features, retrieval, networks and poses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hloc_lite.config import (
    Config,
    MatchingConfig,
    building_keys,
    keys_equal_for_queries,
    value_of,
)
from hloc_lite.consistency.cue_combination import cue_exponents
from hloc_lite.errors import ConfigError, StaleArtefactError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.maps.map import Map
from hloc_lite.maps.outside_names import notice, settings_text, untrusted, unused_names
from hloc_lite.scene import SfmModel, median_scene_distance
from hloc_lite.types import LocalizationResult

logger = logging.getLogger(__name__)
SAME_POSE_DEPTHS = 1e-3
"""Largest distance of an image's cameras in two maps, in median scene distances: one pixel at a
focal length of 1000 px."""
SAME_POSE_DEG = 0.05
"""Largest angle between them: one pixel at that focal length."""


def keys_without_effect(config: Config, map_config: Config) -> list[str]:
    """Keys that differ from the map's and that queries do not read."""
    differing = [
        key for key in building_keys() if value_of(config, key) != value_of(map_config, key)
    ]
    ratio, used = config.matching.max_ratio, query_matching_config(config).matching.max_ratio
    if ratio not in (used, map_config.matching.max_ratio):
        differing.append("matching.max_ratio")  # for queries there is localize.max_ratio
    return differing


def keys_without_source(config: Config, map_config: Config) -> list[str]:
    """Keys about labels or depth that differ from the map's while there is no source for them."""
    return [
        f"{section}.{key}"
        for section in ("semantics", "depth")
        for key in type(getattr(config, section)).model_fields
        if getattr(config, section).source == "none" and key != "source"
        if getattr(getattr(config, section), key) != getattr(getattr(map_config, section), key)
    ]


def unused_sources(results: Sequence[LocalizationResult], config: Config) -> list[str]:
    """Describe each source of labels or depth that gave some queries nothing, one line each.

    Missing, broken or mistyped files fail no query, so nothing else would tell that a pose was
    found without them.

    Args:
        results: results of queries; those without matches do not count.
        config: config that the queries were localized with.
    """
    in_use = {name for name, power in cue_exponents(config.weighting).items() if power > 0}
    matched = [result for result in results if result.counts.get("correspondences")]
    lines = []
    for cue, what in (("semantics", "labels"), ("depth", "depth")):
        source = getattr(config, cue).source
        silent = [each for each in matched if not each.counts.get(f"{cue}_touched")]
        if source == "none" or cue not in in_use or not silent:
            continue
        lines.append(
            f"no {what} for {len(silent)} of {len(matched)} queries, first "
            f"{silent[0].query_name!r}: {source} has none for it, or none that can be compared"
        )
    return lines


def query_matching_config(config: Config) -> Config:
    """Config with the matcher's ratio bound for queries, looser where scores become weights."""
    weighted = config.pose.estimator == "weighted" and "score" not in config.weighting.off
    if not weighted or config.weighting.score == 0:
        return config
    matching = config.matching.model_copy(update={"max_ratio": config.localize.max_ratio})
    return config.model_copy(update={"matching": matching})


def landmark_matching_config(config: Config) -> MatchingConfig:
    """Config of matching queries with landmarks.

    It is that of ``query_matching_config``. Where scores become weights there is no bound on the
    similarity: a landmark's mean descriptor is less similar than that of one image.
    """
    queries = query_matching_config(config)
    loose = queries.matching.model_copy(update={"min_similarity": -1.0})
    return config.matching if queries is config else loose


def warn_of_unused_names(config: Config, maps: Sequence[Map]) -> None:
    """Log which models, files and folders outside hloc_lite the maps name, and are not used."""
    names: dict[str, str] = {}
    for each in maps:
        names |= unused_names(config, each.outside_names)
    if names:
        logger.warning("%s", notice(names))


def check_recalibrate(config: Config, recalibrate: bool) -> None:
    """Raise ConfigError if intrinsics shall be replaced where they do not fit, but are not tested.

    Args:
        recalibrate: the value asked for, of ``localize.recalibrate`` or of a query.
    """
    if recalibrate and not (config.confidence.enabled and config.intrinsics.check):
        raise ConfigError(
            "recalibrate needs the test of intrinsics: set confidence.enabled=true and "
            "intrinsics.check=true"
        )


def warn_of_another_confidence_model() -> None:
    """Warn that a calibration of the map is left out: it holds for other coefficients."""
    logger.warning(
        "what the map learned about itself belongs to another confidence model and is not used: "
        "run `hloc-lite calibrate`"
    )


def warn_of_untested_intrinsics(config: Config) -> None:
    """Log that nothing tests given intrinsics where the confidence is disabled."""
    if config.intrinsics.check and not config.confidence.enabled:
        logger.warning(
            "confidence.enabled=false: every pose is given, and given intrinsics are not tested"
        )


def check_trusted(map_config: Config) -> None:
    """Refuse an opened map that needs models of another package.

    Raises:
        ConfigError: names them.
    """
    names = untrusted(map_config)
    if names:
        raise ConfigError(
            f"the map was made with models that are not part of hloc_lite: "
            f"{settings_text(names)}. If you know where it comes from, allow it to load them: "
            f"--trust-map (Python: trust=True)"
        )


def check_config(config: Config, map_config: Config) -> None:
    """Check that queries are described as the map images were.

    Raises:
        ConfigError: a feature or retrieval setting differs from the map's, the folder with the
            labels of the map images is missing, or see ``check_trusted``.
    """
    check_trusted(map_config)
    source = config.semantics.source
    folder = source.removeprefix("files:")
    if source == map_config.semantics.source != folder and not Path(folder).is_dir():
        raise ConfigError(
            f"the labels of the map's points come from the folder {folder}, which does not exist "
            f"here: give the labels of the queries (--labels FOLDER, "
            f"semantics.source=files:FOLDER), or localize without (--labels none)"
        )
    for key in keys_equal_for_queries():
        asked, made = value_of(config, key), value_of(map_config, key)
        if asked != made:
            raise ConfigError(
                f"{key}: the map was made with {made!r}, queries ask for {asked!r}; descriptors "
                f"could not be compared"
            )


def check_weights(used: Mapping[str, str], map_weights: Mapping[str, str]) -> None:
    """Check that the networks in use are those of the map, by name -> sha256.

    Raises:
        StaleArtefactError: a network has changed since.
    """
    for name, digest in used.items():
        if name in map_weights and map_weights[name] != digest:
            raise StaleArtefactError(
                f"weights {name!r}: the map was made with sha256 {map_weights[name][:16]}, the "
                f"file here has {digest[:16]}; build the map again, or restore the old file"
            )


def check_extra_maps(first: Map, extra_maps: Sequence[Map]) -> None:
    """Check that extra maps are of the same images at the same poses.

    Raises:
        ConfigError: two maps have the same kind of features, no common images, or a different
            ``images.exif_rotation``; or see ``check_trusted``.
        StaleArtefactError: their poses differ.
    """
    known = [first.config.features.name]
    for other in extra_maps:
        check_trusted(other.config)
        name = other.config.features.name
        if name in known:
            raise ConfigError(
                f"two maps have {name!r} features: each extra map needs another feature extractor"
            )
        known.append(name)
        if other.config.images.exif_rotation != first.config.images.exif_rotation:
            raise ConfigError(
                f"the map of {name!r} features was made with images.exif_rotation = "
                f"{other.config.images.exif_rotation}, the first one with "
                f"{first.config.images.exif_rotation}: a query has one orientation"
            )
        _check_poses(first.model, other.model, name)


def _check_poses(first: SfmModel, other: SfmModel, name: str) -> None:
    pairs = [(image, other.image_named(image.name)) for image in first.images]
    errors = {
        image.name: pose_errors(same.cam_from_world, image.cam_from_world)
        for image, same in pairs
        if same is not None
    }
    remedy = "build it with `hloc-lite map IMAGES -o MAP --reference FIRST_MAP`"
    if not errors:
        raise ConfigError(
            f"the map of {name!r} features has no image of the first map: its images are "
            f"{[image.name for image in other.images[:2]]}..., those of the first "
            f"{[image.name for image in first.images[:2]]}...; {remedy}"
        )
    limit = SAME_POSE_DEPTHS * median_scene_distance(first)
    differing = {
        image: error
        for image, error in errors.items()
        if not (error[0] <= limit and error[1] <= SAME_POSE_DEG)
    }
    if differing:
        worst = max(differing, key=lambda image: differing[image])
        distance, angle_deg = differing[worst]
        raise StaleArtefactError(
            f"the map of {name!r} features has other poses than the first map for "
            f"{len(differing)} of {len(errors)} common images: {worst!r} lies {distance:.3g} map "
            f"units and {angle_deg:.3g} deg apart, {limit:.3g} and {SAME_POSE_DEG:g} are allowed. "
            f"Maps made independently have frames of their own: {remedy}"
        )
