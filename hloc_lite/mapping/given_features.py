"""Features that another program computed: how maps read them, and which of this package's they are.

Each source has its own reader: ``hloc_features``, ``colmap_features``, ``kapture_features``.
"""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.config import Config, load_config
from hloc_lite.errors import FormatError, counted
from hloc_lite.io.lazy_mapping import LazyMapping
from hloc_lite.maps.outside_names import with_values
from hloc_lite.registry import FEATURES
from hloc_lite.types import Float64, LocalFeatures

logger = logging.getLogger(__name__)


class GivenFeatures(LazyMapping[LocalFeatures]):
    """Features of named images, read from disk on access.

    Args:
        names: images of the map.
        missing: those of them that have no features.
        where: file or folder, for errors.

    Raises:
        FormatError: an image has no features.
    """

    def __init__(self, names: Sequence[str], missing: Sequence[str], where: str) -> None:
        if missing:
            raise FormatError(
                f"{where} has no features of {counted(len(missing), 'image')} of the model, first "
                f"{missing[0]!r}"
            )
        super().__init__(dict.fromkeys(names))

    @abstractmethod
    def keypoints(self, name: str) -> Float64:
        """(N, 2) pixels of an image; its descriptors are not read."""

    @abstractmethod
    def _read(self, name: str) -> LocalFeatures:
        """Features of an image."""


class HellingerFeatures(GivenFeatures):
    """SIFT features whose L2-normalized descriptors become RootSIFT (Arandjelovic 2012)."""

    def __init__(self, features: GivenFeatures) -> None:
        super().__init__(tuple(features), (), "")
        self._features = features

    def keypoints(self, name: str) -> Float64:
        return self._features.keypoints(name)

    def _read(self, name: str) -> LocalFeatures:
        found = self._features[name]
        positive = np.maximum(found.descriptors, 0)
        sums = np.maximum(positive.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return replace(found, descriptors=np.sqrt(positive / sums))


def own_features_name(text: str) -> str | None:
    """Features of this package that a file or folder holds by its name, ``feats-aliked-n16``."""
    stem = text.removeprefix("feats-")
    if stem in FEATURES:
        return stem
    named = [
        name for name in FEATURES if re.search(rf"(?:^|[-_]){re.escape(name)}(?:$|[-_])", stem)
    ]
    return max(named, key=len) if named else None


def config_for_features(config: Config | None, name: str, where: str) -> Config:
    """Config of a map of given features; photos are not turned by EXIF, as in hloc and COLMAP.

    Queries need the same features. A map of features that this package does not have is warned of.

    Args:
        config: other settings; None for the defaults that are tuned for the features.
        name: features, by the name in this package's registry or another one.
        where: file or folder of the features, for the warning.
    """
    if name in FEATURES:
        overrides = {"images": {"exif_rotation": False}, "features": {"name": name}}
        return load_config(base=config, overrides=overrides)
    upright = load_config(base=config, overrides={"images": {"exif_rotation": False}})
    logger.warning(
        "hloc_lite cannot extract the features of %s: the map can be stored and opened, but "
        "queries need features from elsewhere, by a package that registers the name %r. If they "
        "are of hloc_lite, say which (--features)",
        where, name,
    )  # fmt: skip
    return with_values(upright, {"features.name": name, "matching.name": "mutual-nn"})
