"""Whether a localizer fits its map: same features, same retrieval, same networks."""

from __future__ import annotations

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
from hloc_lite.scene import SfmModel, median_scene_distance
from hloc_lite.types import LocalizationResult

SAME_POSE_DEPTHS = 1e-3
"""How far apart cameras of one image may be in two layers, in median distances of the points: a
pixel at a focal length of 1000."""
SAME_POSE_DEG = 0.05
"""A pixel at that focal length, too."""


def without_effect(config: Config, baked: Config) -> list[str]:
    """Keys of another value than the map's that queries do not read."""
    differing = [key for key in building_keys() if value_of(config, key) != value_of(baked, key)]
    ratio, used = config.matching.max_ratio, for_queries(config).matching.max_ratio
    if ratio not in (used, baked.matching.max_ratio):
        differing.append("matching.max_ratio")  # for queries there is localize.max_ratio
    return differing


def without_source(config: Config, baked: Config) -> list[str]:
    """Keys of another value than the map's about labels or depths that nobody was asked for."""
    return [
        f"{section}.{key}"
        for section in ("semantics", "depth")
        for key in type(getattr(config, section)).model_fields
        if getattr(config, section).source == "none" and key != "source"
        if getattr(getattr(config, section), key) != getattr(getattr(baked, section), key)
    ]


def silent_sources(results: Sequence[LocalizationResult], config: Config) -> list[str]:
    """A line for each source of labels or depths that some queries had nothing of.

    Files that are missing, broken or of another kind than was said stop no query, so nothing else
    would tell that a pose came about without them.

    Args:
        results: of queries; those without matches do not count.
        config: that they were answered with.
    """
    in_use = {name for name, power in cue_exponents(config.weighting).items() if power > 0}
    matched = [result for result in results if result.counts.get("correspondences")]
    lines = []
    for cue, what in (("semantics", "labels"), ("depth", "depths")):
        source = getattr(config, cue).source
        silent = [each for each in matched if not each.counts.get(f"{cue}_touched")]
        if source == "none" or cue not in in_use or not silent:
            continue
        lines.append(
            f"{what} said nothing of {len(silent)} of {len(matched)} queries, first "
            f"{silent[0].query_name!r}: {source} has none of it, or none that could be compared"
        )
    return lines


def for_queries(config: Config) -> Config:
    """With the matcher's bound for queries: looser where its scores become weights of the pose."""
    weighted = config.pose.estimator == "weighted" and "score" not in config.weighting.off
    if not weighted or config.weighting.score == 0:
        return config
    matching = config.matching.model_copy(update={"max_ratio": config.localize.max_ratio})
    return config.model_copy(update={"matching": matching})


def for_landmarks(config: Config) -> MatchingConfig:
    """Of queries with landmarks: as ``for_queries``, and where scores become weights without a
    bound on the similarity, which of a landmark's mean is lower than of one image's descriptor."""
    queries = for_queries(config)
    loose = queries.matching.model_copy(update={"min_similarity": -1.0})
    return config.matching if queries is config else loose


def check_config(config: Config, baked: Config) -> None:
    """Queries must be described as the map's images were.

    Raises:
        ConfigError: another feature or retrieval setting than the map's, or labels of the map's own
            folder, which is not here.
    """
    source = config.semantics.source
    folder = source.removeprefix("files:")
    if source == baked.semantics.source != folder and not Path(folder).is_dir():
        raise ConfigError(
            f"the map's points have their labels from the folder {folder}, which is not here: give "
            f"the labels of the queries (--labels FOLDER, semantics.source=files:FOLDER), or go "
            f"without (--labels none)"
        )
    for key in keys_equal_for_queries():
        asked, made = value_of(config, key), value_of(baked, key)
        if asked != made:
            raise ConfigError(
                f"{key}: the map was made with {made!r}, {asked!r} was asked for; queries must be "
                f"described alike"
            )


def check_weights(used: Mapping[str, str], baked: Mapping[str, str]) -> None:
    """Name -> sha256 of the networks in use, against those of the map.

    Raises:
        StaleArtefactError: a network has changed since.
    """
    for name, digest in used.items():
        if name in baked and baked[name] != digest:
            raise StaleArtefactError(
                f"weights {name!r}: the map was made with sha256 {baked[name][:16]}, here is "
                f"{digest[:16]}; build the map again, or put the old file back"
            )


def check_layers(first: Map, others: Sequence[Map]) -> None:
    """Maps that are localized in together are of the same images, at the same poses.

    Raises:
        ConfigError: two of the same features, without common images, or whose photos are turned
            upright in one but not in the other.
        StaleArtefactError: their poses are others.
    """
    seen = [first.config.features.name]
    for place in others:
        name = place.config.features.name
        if name in seen:
            raise ConfigError(
                f"two maps are of {name!r} features: each further map needs a feature extractor "
                f"of its own"
            )
        seen.append(name)
        if place.config.images.exif_rotation != first.config.images.exif_rotation:
            raise ConfigError(
                f"the map of {name!r} features was made with images.exif_rotation = "
                f"{place.config.images.exif_rotation}, the first one with "
                f"{first.config.images.exif_rotation}: a query has one orientation only"
            )
        _check_poses(first.model, place.model, name)


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
            f"the map of {name!r} features has no image of the first map: it has "
            f"{[image.name for image in other.images[:2]]}..., the first one "
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
