"""Photos turned by quarter turns, and their keypoints in the frame of the photo as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.types import LocalFeatures, Photo


def turned_photo(photo: Photo, turns: int) -> Photo:
    """The photo and its mask turned counter-clockwise by 90 degrees ``turns`` times."""
    mask = None if photo.mask is None else np.rot90(photo.mask, turns)
    return replace(photo, pixels=np.rot90(photo.pixels, turns), mask=mask)


def turned_back(features: LocalFeatures, turns: int) -> LocalFeatures:
    """Features of a photo that was turned by ``turned_photo``, in the frame before.

    Pixel x, y of a photo turned once counter-clockwise was W - y, x, where W is its width before.
    """
    for _ in range(turns % 4):
        width, height = features.image_size
        x, y = features.keypoints.T
        orientations = features.orientations_rad
        features = replace(
            features,
            keypoints=np.stack([height - y, x], axis=1),
            image_size=(height, width),
            orientations_rad=None if orientations is None else orientations + np.float32(np.pi / 2),
        )
    return features
