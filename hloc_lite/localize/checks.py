"""Whether a localizer fits its map: same features, same retrieval, same networks."""

from __future__ import annotations

from collections.abc import Mapping

from hloc_lite.config import Config
from hloc_lite.errors import ConfigError, StaleArtefactError

BAKED_SECTIONS = ("features", "retrieval")
"""Config that queries must share with the map, or their descriptors cannot be compared."""


BUILDING_SECTIONS = ("pairs", "geometry", "mapping")
"""Config that only building a map reads, but for the model of cameras without intrinsics."""


def without_effect(config: Config, baked: Config) -> list[str]:
    """Keys of another value than the map's that queries do not read."""
    differing = [
        f"{section}.{key}"
        for section in BUILDING_SECTIONS
        for key in type(getattr(config, section)).model_fields
        if getattr(getattr(config, section), key) != getattr(getattr(baked, section), key)
    ]
    return [key for key in differing if key != "mapping.camera_model"]


def for_queries(config: Config) -> Config:
    """With the matcher's bound for queries: looser where its scores become weights of the pose."""
    weighted = config.pose.estimator == "weighted" and "score" not in config.weighting.off
    if not weighted or config.weighting.score == 0:
        return config
    matching = config.matching.model_copy(update={"max_ratio": config.localize.max_ratio})
    return config.model_copy(update={"matching": matching})


def check_config(config: Config, baked: Config) -> None:
    """Queries must be described as the map's images were.

    Raises:
        ConfigError: another feature or retrieval setting than the map's.
    """
    for section in BAKED_SECTIONS:
        asked, made = getattr(config, section), getattr(baked, section)
        for key in type(asked).model_fields:
            # a photo may have more or fewer keypoints than the map's images, or run in batches
            free = section == "features" and key in ("max_keypoints", "batch_size", "max_side_px")
            if getattr(asked, key) != getattr(made, key) and not free:
                raise ConfigError(
                    f"{section}.{key}: the map was made with {getattr(made, key)!r}, "
                    f"{getattr(asked, key)!r} was asked for; queries must be described alike"
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
