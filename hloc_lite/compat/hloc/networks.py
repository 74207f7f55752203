"""Networks of this package that stand for those of hloc's configurations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hloc_lite.errors import ConfigError
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, Runtime

logger = logging.getLogger(__name__)
NEAREST_FEATURES = {
    "superpoint": "aliked-n16",
    "r2d2": "aliked-n16",
    "d2net": "aliked-n16",
    "dog": "rootsift",
}
"""hloc's extractor -> features of this package that come nearest."""
NEAREST_DESCRIPTORS = {
    "dir": "netvlad-pitts30k",
    "openibl": "netvlad-pitts30k",
    "eigenplaces": "netvlad-pitts30k",
    "megaloc": "netvlad-pitts30k",
}
"""hloc's global descriptor -> that of this package that comes nearest."""
LIGHTGLUE_OF = {
    "aliked": "lightglue-aliked",
    "disk": "lightglue-disk",
    "superpoint": "lightglue-aliked",
    "sift": "mutual-nn",
    "doghardnet": "mutual-nn",
}
"""Features that hloc's LightGlue is for -> matcher of this package."""
SAME_LIGHTGLUE = ("aliked", "disk")
ROOTSIFT = "rootsift"
"""hloc's name of the descriptor that its ``dog`` has by default."""


@dataclass(frozen=True)
class Network:
    """Network of this package by its registry name."""

    name: str
    is_same: bool
    """True if it has the weights of hloc's; False if it only comes nearest."""


def features_network(model: Mapping[str, Any]) -> Network | None:
    """Local features for the ``model`` of a configuration; None if it is a global descriptor.

    Names of this package's own are taken, too.

    Raises:
        ConfigError: an unknown model.
    """
    name = _name(model)
    if name == "aliked":
        variant = str(model.get("model_name", "aliked-n16"))
        if variant not in FEATURES:
            raise ConfigError(f"unknown model_name {variant!r} of aliked")
        return Network(variant, True)
    if name == "dog" and model.get("descriptor", ROOTSIFT) == ROOTSIFT:
        return Network("rootsift", True)
    if name in FEATURES:
        return Network(name, True)
    if name in NEAREST_FEATURES:
        described = f"{name} with {model['descriptor']}" if "descriptor" in model else name
        return _replaced(described, NEAREST_FEATURES[name])
    if name == "netvlad" or name in NEAREST_DESCRIPTORS or name in GLOBAL_DESCRIPTORS:
        return None
    known = ", ".join(["aliked", *NEAREST_FEATURES, "netvlad", *NEAREST_DESCRIPTORS])
    own = ", ".join([*FEATURES, *GLOBAL_DESCRIPTORS])
    raise ConfigError(f"unknown extractor {name!r}; known are {known}, and of this package {own}")


def descriptor_network(model: Mapping[str, Any]) -> Network:
    """Global descriptor for the ``model`` of a configuration.

    Raises:
        ConfigError: an unknown model.
    """
    name = _name(model)
    if name == "netvlad":
        return Network("netvlad-pitts30k", True)
    if name in GLOBAL_DESCRIPTORS:
        return Network(name, True)
    if name not in NEAREST_DESCRIPTORS:
        raise ConfigError(f"unknown global descriptor {name!r}")
    return _replaced(name, NEAREST_DESCRIPTORS[name])


def matcher_network(model: Mapping[str, Any]) -> Network:
    """Matcher for the ``model`` of a configuration.

    Raises:
        ConfigError: an unknown model.
    """
    name = _name(model)
    if name == "nearest_neighbor":
        return Network("mutual-nn", True)
    if name == "lightglue":
        features = str(model.get("features", "superpoint"))
        if features not in LIGHTGLUE_OF:
            raise ConfigError(
                f"no LightGlue for features {features!r}; known are {', '.join(LIGHTGLUE_OF)}"
            )
        if features in SAME_LIGHTGLUE:
            return Network(LIGHTGLUE_OF[features], True)
        return _replaced(f"lightglue for {features}", LIGHTGLUE_OF[features])
    if name == "superglue":
        return _replaced(name, "lightglue-aliked")
    if name == "adalam":
        return _replaced(name, "mutual-nn")
    if name in MATCHERS:
        return Network(name, True)
    raise ConfigError(
        f"unknown matcher {name!r}; known are nearest_neighbor, lightglue, superglue, adalam, and "
        f"of this package {', '.join(MATCHERS)}"
    )


def default_runtime() -> Runtime:
    """Default weights, on an NVIDIA GPU if torch finds one, as hloc does."""
    import torch

    return Runtime(WeightsStore(), "cuda" if torch.cuda.is_available() else "cpu")


@cache
def warn_once(message: str) -> None:
    """Log a warning, the same one only once per process."""
    logger.warning("%s", message)


def _replaced(theirs: str, ours: str) -> Network:
    warn_once(
        f"hloc_lite has no weights of {theirs}: {ours} is used in its place. File names stay hloc's"
    )
    return Network(ours, False)


def _name(model: Mapping[str, Any]) -> str:
    if "name" not in model:
        raise ConfigError(f"a configuration's model has no name: {dict(model)}")
    return str(model["name"])
