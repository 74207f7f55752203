"""Semantic classes, their compatibility, and lookups in label maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import get_args

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticClass, SemanticsConfig
from hloc_lite.types import Bool, Float64, Int64, LabelMap

CLASS_NAMES: tuple[str, ...] = get_args(SemanticClass)
"""Class names in the order of the Cityscapes train ids."""
NUM_CLASSES = len(CLASS_NAMES)
SKY = CLASS_NAMES.index("sky")


@dataclass(frozen=True, eq=False)
class LabelWindows:
    """A label map with the classes in the tolerance window around each pixel."""

    label_map: LabelMap
    bits: npt.NDArray[np.uint32]
    """(h, w) bit c is set if class c is in the window, which ends at the border of the map."""


def class_ids(names: tuple[str, ...]) -> list[int]:
    """Train ids of class names."""
    return [CLASS_NAMES.index(name) for name in names]


def compatibility_matrix(config: SemanticsConfig) -> Float64:
    """(19, 19) symmetric compatibility of labels in [0, 1].

    1 on the diagonal; 0 in the rows and columns of unstable classes.
    """
    matrix = np.eye(NUM_CLASSES)
    for group in config.confusable:
        for a, b in permutations(class_ids(group.classes), 2):
            matrix[a, b] = max(matrix[a, b], group.compatibility)
    unstable = class_ids(config.unstable)
    matrix[unstable, :] = 0
    matrix[:, unstable] = 0
    return matrix


def is_class(labels: npt.NDArray[np.integer]) -> Bool:
    """Mask of the labels that are a class, not unknown."""
    return np.asarray(labels) < NUM_CLASSES


def pixel_indices(label_map: LabelMap, points2D: npt.NDArray[np.floating]) -> tuple[Int64, Int64]:
    """(N,) rows and (N,) columns of a label map at (N, 2) pixels of its image.

    Both are -1 for points that are not finite or lie outside the image.
    """
    height, width = label_map.labels.shape
    image_width, image_height = label_map.image_size
    points = np.asarray(points2D, np.float64).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        inside = (points >= 0).all(axis=1)
        inside &= (points[:, 0] <= image_width) & (points[:, 1] <= image_height)
    safe = np.where(inside[:, None], points, 0.0)
    # points on the far border belong to the last pixel
    columns = np.minimum((safe[:, 0] * (width / image_width)).astype(np.int64), width - 1)
    rows = np.minimum((safe[:, 1] * (height / image_height)).astype(np.int64), height - 1)
    return np.where(inside, rows, -1), np.where(inside, columns, -1)


def window_radii(label_map: LabelMap, config: SemanticsConfig) -> tuple[int, int]:
    """Half height and half width of the tolerance window, in rows and columns of the label map."""
    height, width = label_map.labels.shape
    image_width, image_height = label_map.image_size
    radius_px = config.window_px * max(image_width, image_height) / config.reference_side_px
    rows, columns = radius_px * height / image_height, radius_px * width / image_width
    return int(np.floor(rows + 0.5)), int(np.floor(columns + 0.5))


def label_windows(label_map: LabelMap, config: SemanticsConfig) -> LabelWindows:
    """The classes around each pixel; the time hardly depends on the window."""
    bit_of = np.zeros(256, np.uint32)
    bit_of[:NUM_CLASSES] = np.uint32(1) << np.arange(NUM_CLASSES, dtype=np.uint32)
    bits = bit_of[label_map.labels]
    rows, columns = window_radii(label_map, config)
    bits = _or_over_rows(_or_over_rows(bits, rows).T, columns).T
    bits.flags.writeable = False
    return LabelWindows(label_map, bits)


def classes_near(
    windows: LabelWindows, points2D: npt.NDArray[np.floating]
) -> npt.NDArray[np.bool_]:
    """(N, 19) mask of the classes in the window around each point.

    All False if the point lies outside the image or its own label is unknown.
    """
    rows, columns = pixel_indices(windows.label_map, points2D)
    known = (rows >= 0) & is_class(windows.label_map.labels[rows, columns])
    bits = np.where(known, windows.bits[rows, columns], np.uint32(0))
    return (bits[:, None] >> np.arange(NUM_CLASSES, dtype=np.uint32) & np.uint32(1)).astype(bool)


def _or_over_rows(bits: npt.NDArray[np.uint32], radius: int) -> npt.NDArray[np.uint32]:
    """Bitwise or of each column over 2 radius + 1 rows.

    Windows grow by doubling; two that overlap make any height, since or is idempotent.
    """
    length = len(bits)
    radius = min(radius, length)
    height = 2 * radius + 1
    joined = np.pad(bits, ((radius, radius), (0, 0)))
    size = 1
    while 2 * size <= height:
        joined = joined[:-size] | joined[size:]
        size *= 2
    rest = height - size
    return joined[:length] | joined[rest : rest + length]
