"""Comparison of given features with those that this package extracts, on a photo."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.config import Config
from hloc_lite.errors import FormatError, WeightsError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.mapping.given_features import GivenFeatures
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
MAX_OFFSET_PX = 0.2
"""Largest median offset of the same keypoints; half a pixel is another origin, a quarter of one
that of some implementations of SIFT."""


def checked_features(
    readings: Sequence[GivenFeatures],
    name: str,
    source: ImageSource,
    config: Config,
    runtime: Runtime,
) -> GivenFeatures:
    """Compare the features of one photo with those that this package extracts from it.

    Nothing is compared for features that it does not have, or without their weights.

    Args:
        readings: the features, read in each way in which they may have been written; the likeliest
            way first.
        name: image with many keypoints.
        source: photos.
        config: config of the map, which names the features.
        runtime: weights and device.

    Returns:
        The reading whose descriptors are most alike; the first one if nothing can be compared.

    Raises:
        FormatError: they are others in any reading.
        ImageError: the photo cannot be read.
    """
    first = readings[0]
    if config.features.name not in FEATURES:
        return first
    photo = source.load(name)
    stored = [reading[name] for reading in readings]
    if stored[0].image_size != (photo.width, photo.height):
        raise FormatError(
            f"{name!r} has {photo.width} x {photo.height} pixels, its features are of an image of "
            f"{stored[0].image_size[0]} x {stored[0].image_size[1]}: these are other photos"
        )
    try:
        extractor: FeatureExtractor = create(
            FEATURES, config.features.name, config.features, runtime
        )
    except WeightsError as error:
        logger.warning("features are not compared with those of hloc_lite: %s", error)
        return first
    own = extractor.extract([photo])[0]
    return readings[_most_similar(stored, own, config.features.name, name)]


def _most_similar(stored: Sequence[LocalFeatures], own: LocalFeatures, kind: str, name: str) -> int:
    """Index of the features whose descriptors are most like our own.

    Args:
        stored: features with the same keypoints.
        own: features of this package.
        kind: their name.
        name: image.
    """
    if stored[0].descriptors.shape[1] != own.descriptors.shape[1]:
        raise FormatError(
            f"the features have {stored[0].descriptors.shape[1]} dimensions, {kind} has "
            f"{own.descriptors.shape[1]}: say which they are (--features)"
        )
    if not len(stored[0]) or not len(own):
        return 0
    distances, nearest = cKDTree(stored[0].keypoints).query(own.keypoints)
    rows = np.flatnonzero(distances <= SAME_KEYPOINT_PX)
    if len(rows) < MIN_COMMON:
        logger.warning("%r has %d keypoints in common with %s: too few to compare descriptors",
                       name, len(rows), kind)  # fmt: skip
        return 0
    offset = np.median(stored[0].keypoints[nearest[rows]] - own.keypoints[rows], axis=0)
    if np.abs(offset).min() > MAX_OFFSET_PX:
        logger.warning(
            "the keypoints lie (%.2f, %.2f) px from those of %s: their pixels may have another "
            "origin, which shifts poses by as much", *offset, kind
        )  # fmt: skip
    similarities = [
        float(np.median(np.einsum(
            "kd,kd->k", each.descriptors[nearest[rows]], own.descriptors[rows]
        )))
        for each in stored
    ]  # fmt: skip
    best = int(np.argmax(similarities))
    if similarities[best] < MIN_SIMILARITY:
        raise FormatError(
            f"the features are not {kind}: at {len(rows)} common keypoints of {name!r} the median "
            f"similarity of descriptors is {similarities[best]:.2f}, {MIN_SIMILARITY} is needed. "
            f"Say which they are (--features), or let hloc_lite extract its own: give the poses "
            f"with --reference"
        )
    return best
