"""Features in hloc's files to and from those that matchers and maps take."""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.features import StoredFeatures
from hloc_lite.types import Float32, LocalFeatures

UNIT_TOLERANCE = 1e-3
"""Difference of a descriptor's length from 1 that half precision explains."""


def to_local_features(stored: StoredFeatures, where: str) -> LocalFeatures:
    """Features in the order of the file, with descriptors of length 1.

    Args:
        stored: features of an image.
        where: file and image, for errors.

    Raises:
        FormatError: no descriptors, as in files of dense matching, or no image size.
    """
    if stored.descriptors is None:
        raise FormatError(
            f"{where} has no descriptors: it is of dense matching, whose matches are made already"
        )
    if stored.image_size is None:
        raise FormatError(f"{where} has no image_size, which matching and maps need")
    scores = np.ones(len(stored), np.float32) if stored.scores is None else stored.scores
    return LocalFeatures(
        keypoints=stored.keypoints,
        descriptors=unit_rows(stored.descriptors),
        scores=scores,
        image_size=stored.image_size,
        scales=stored.scales,
        orientations_rad=stored.orientations,
    )


def to_stored_features(features: LocalFeatures) -> StoredFeatures:
    """Features as hloc's files hold them."""
    return StoredFeatures(
        keypoints=features.keypoints,
        descriptors=features.descriptors,
        scores=features.scores,
        image_size=features.image_size,
        scales=features.scales,
        orientations=features.orientations_rad,
    )


def unit_rows(descriptors: Float32) -> Float32:
    """Rows of length 1; unchanged if they are so already, up to the rounding of half precision."""
    lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
    if np.abs(lengths - 1).max(initial=0) <= UNIT_TOLERANCE:
        return descriptors
    return descriptors / np.maximum(lengths, np.finfo(np.float32).tiny)
