"""Which matched positions a photo shows."""

from __future__ import annotations

import numpy as np

from hloc_lite.types import Bool, Float32, Photo


def is_seen(keypoints: Float32, photo: Photo) -> Bool:
    """(K,) True for keypoints inside the photo and its mask."""
    size = np.array([photo.width, photo.height])
    inside: Bool = np.all((keypoints >= 0) & (keypoints <= size), axis=1)
    if photo.mask is None:
        return inside
    x, y = np.clip(keypoints.astype(np.int64), 0, size - 1).T
    seen: Bool = inside & photo.mask[y, x]
    return seen
