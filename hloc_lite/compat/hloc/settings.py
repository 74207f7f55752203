"""Numbers of hloc's configurations as settings of this package's networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from hloc_lite.compat.hloc.networks import Network, warn_once
from hloc_lite.config import FeaturesConfig, MatchingConfig, RetrievalConfig
from hloc_lite.errors import ConfigError

MOST_KEYPOINTS = 65536
"""Stands for hloc's -1, without limit."""
LARGEST_SIDE_PX = 16384
"""Stands for hloc's images that are not reduced."""
LARGEST_RETRIEVAL_PX = 4096
LIGHTGLUE_FILTER = 0.1
"""LightGlue's own filter threshold, which hloc keeps."""


def features_config(network: Network, conf: Mapping[str, Any]) -> FeaturesConfig:
    """Settings of local features by hloc's configuration.

    Thresholds on scores hold only for the network they are made for.

    Raises:
        ConfigError: a number out of range.
    """
    model, preprocessing = conf["model"], conf.get("preprocessing", {})
    _warn_of_size(preprocessing)
    limit = model.get("max_keypoints", model.get("max_num_keypoints", -1))
    values: dict[str, Any] = {
        "name": network.name,
        "max_keypoints": MOST_KEYPOINTS if limit is None or limit < 0 else limit,
        "max_side_px": preprocessing.get("resize_max") or LARGEST_SIDE_PX,
    }
    threshold = model.get("detection_threshold", model.get("keypoint_threshold"))
    if threshold is not None and network.is_same:
        values["min_score"] = threshold
    return _checked(FeaturesConfig, values)


def retrieval_config(network: Network, conf: Mapping[str, Any]) -> RetrievalConfig:
    """Settings of global descriptors by hloc's configuration.

    Raises:
        ConfigError: a number out of range.
    """
    preprocessing = conf.get("preprocessing", {})
    _warn_of_size(preprocessing)
    side = preprocessing.get("resize_max") or LARGEST_RETRIEVAL_PX
    return _checked(RetrievalConfig, {"name": network.name, "max_side_px": side})


def matching_config(network: Network, model: Mapping[str, Any]) -> MatchingConfig:
    """Settings of a matcher by hloc's configuration.

    hloc's nearest neighbours compare distances of unit vectors: |a - b|^2 = 2 - 2 a.b.

    Raises:
        ConfigError: a number out of range.
    """
    values: dict[str, Any] = {"name": network.name}
    if model["name"] == "nearest_neighbor":
        distance = model.get("distance_threshold")
        values["max_ratio"] = model.get("ratio_threshold") or 1.0
        values["min_similarity"] = -1.0 if not distance else max(-1.0, 1 - distance**2 / 2)
        if not model.get("do_mutual_check", True):
            warn_once("do_mutual_check=False is not supported: matches are mutual neighbours")
    elif network.is_same:
        threshold = model.get("filter_threshold", model.get("match_threshold"))
        values["min_score"] = LIGHTGLUE_FILTER if threshold is None else threshold
    return _checked(MatchingConfig, values)


def mapper_settings(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of mapping by COLMAP's options, of which only ``num_threads`` is used."""
    given = dict(options or {})
    threads = given.pop("num_threads", None)
    if given:
        warn_once(f"mapper_options are not used: {', '.join(given)}")
    return {} if threads is None else {"threads": threads}


def _warn_of_size(preprocessing: Mapping[str, Any]) -> None:
    if preprocessing.get("resize_force"):
        warn_once("resize_force is not supported: photos smaller than resize_max keep their size")


def _checked(section: type[Any], values: Mapping[str, Any]) -> Any:
    """Config section with these values."""
    assert issubclass(section, BaseModel)
    try:
        return section.model_validate(values)
    except ValidationError as error:
        item = error.errors()[0]
        raise ConfigError(f"{item['loc']}: {item['msg']}, got {item['input']!r}") from None
