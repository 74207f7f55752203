"""Features of hloc's files for a map: which of this package's they are, and if that is true."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.config import Config, load_config
from hloc_lite.errors import FormatError, WeightsError
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.local_features import to_local_features
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.maps.outside_names import with_values
from hloc_lite.protocols import FeatureExtractor
from hloc_lite.registry import FEATURES, Runtime, create
from hloc_lite.types import LocalFeatures

logger = logging.getLogger(__name__)
SAME_KEYPOINT_PX = 1.5
"""Distance of keypoints that are taken for the same, pixels."""
MIN_COMMON = 10
"""Fewer common keypoints do not tell whether descriptors are alike."""
MIN_SIMILARITY = 0.8
"""Least median cosine of descriptors at the same keypoints."""


class HlocFeatures(Mapping[str, LocalFeatures]):
    """Features of the named images in a file of hloc, read from disk on access.

    Raises:
        FormatError: the file lacks an image.
    """

    def __init__(self, file: FeaturesFile, names: tuple[str, ...]) -> None:
        missing = [name for name in names if name not in file]
        if missing:
            raise FormatError(
                f"{file.path} has no features of {len(missing)} images of the model, first "
                f"{missing[0]!r}"
            )
        self._file, self._names = file, dict.fromkeys(names)

    def __getitem__(self, name: str) -> LocalFeatures:
        if name not in self._names:
            raise KeyError(name)
        return to_local_features(self._file[name], f"{self._file.path}: {name!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def own_features_name(path: Path) -> str | None:
    """Features of this package that a file holds by its name, such as ``feats-aliked-n16.h5``."""
    stem = _kind(path)
    if stem in FEATURES:
        return stem
    named = [
        name for name in FEATURES if re.search(rf"(?:^|[-_]){re.escape(name)}(?:$|[-_])", stem)
    ]
    return max(named, key=len) if named else None


def config_for_features(config: Config, path: Path, name: str | None) -> Config:
    """Config of a map of the features in a file; photos are not turned by EXIF, as in hloc.

    Queries need the same features. A map of features that this package does not have is warned of.

    Args:
        config: other settings.
        path: file of features.
        name: which features it holds; None to tell by its name.
    """
    upright = load_config(base=config, overrides={"images": {"exif_rotation": False}})
    known = name or own_features_name(path)
    if known is not None and known in FEATURES:
        return load_config(base=upright, overrides={"features": {"name": known}})
    foreign = known or _kind(path)
    logger.warning(
        "hloc_lite cannot extract the features of %s: the map can be stored and opened, but "
        "queries need features from elsewhere, by a package that registers the name %r. If they "
        "are of hloc_lite, say which (--features)",
        path.name, foreign,
    )  # fmt: skip
    return with_values(upright, {"features.name": foreign, "matching.name": "mutual-nn"})


def check_features(
    features: Mapping[str, LocalFeatures], source: ImageSource, config: Config, runtime: Runtime
) -> None:
    """Compare the features of one photo with those that this package extracts from it.

    Nothing is compared for features that it does not have, or without their weights.

    Raises:
        FormatError: they are others.
        ImageError: the photo cannot be read.
    """
    if config.features.name not in FEATURES or not features:
        return
    name = max(features, key=lambda each: len(features[each]))
    stored, photo = features[name], source.load(name)
    if stored.image_size != (photo.width, photo.height):
        raise FormatError(
            f"{name!r} has {photo.width} x {photo.height} pixels, its features are of an image of "
            f"{stored.image_size[0]} x {stored.image_size[1]}: these are other photos"
        )
    try:
        extractor: FeatureExtractor = create(
            FEATURES, config.features.name, config.features, runtime
        )
    except WeightsError as error:
        logger.warning("features are not compared with those of hloc_lite: %s", error)
        return
    own = extractor.extract([photo])[0]
    _check_similar(stored, own, config.features.name, name)


def _check_similar(stored: LocalFeatures, own: LocalFeatures, kind: str, name: str) -> None:
    if stored.descriptors.shape[1] != own.descriptors.shape[1]:
        raise FormatError(
            f"the features have {stored.descriptors.shape[1]} dimensions, {kind} has "
            f"{own.descriptors.shape[1]}: say which they are (--features)"
        )
    if not len(stored) or not len(own):
        return
    distances, nearest = cKDTree(stored.keypoints).query(own.keypoints)
    rows = np.flatnonzero(distances <= SAME_KEYPOINT_PX)
    if len(rows) < MIN_COMMON:
        logger.warning("%r has %d keypoints in common with %s: too few to compare descriptors",
                       name, len(rows), kind)  # fmt: skip
        return
    cosines = np.einsum("kd,kd->k", stored.descriptors[nearest[rows]], own.descriptors[rows])
    similarity = float(np.median(cosines))
    if similarity < MIN_SIMILARITY:
        raise FormatError(
            f"the features are not {kind}: at {len(rows)} common keypoints of {name!r} the median "
            f"similarity of descriptors is {similarity:.2f}, {MIN_SIMILARITY} is needed"
        )


def _kind(path: Path) -> str:
    return path.stem.removeprefix("feats-")
