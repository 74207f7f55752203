"""Semantic classes: names, which go together, and what a label map says around a point."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import get_args

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticClass, SemanticsConfig
from hloc_lite.types import UNKNOWN_LABEL, Bool, Float64, Int64, LabelMap, UInt8

CLASS_NAMES: tuple[str, ...] = get_args(SemanticClass)
"""By Cityscapes train id."""
NUM_CLASSES = len(CLASS_NAMES)
SKY = CLASS_NAMES.index("sky")


@dataclass(frozen=True, eq=False)
class LabelWindows:
    """A label map, and for each of its pixels the classes within the tolerance window."""

    label_map: LabelMap
    bits: npt.NDArray[np.uint32]
    """(h, w) bit c is set if class c is in the window; nothing beyond the border is."""


def class_ids(names: tuple[str, ...]) -> list[int]:
    """Train ids of class names."""
    return [CLASS_NAMES.index(name) for name in names]


def compatibility_matrix(config: SemanticsConfig) -> Float64:
    """(19, 19) in [0, 1], symmetric: how well two labels go together; 1 on the diagonal, 0 in rows
    and columns of unstable classes."""
    matrix = np.eye(NUM_CLASSES)
    for group in config.confusable:
        for a, b in permutations(class_ids(group.classes), 2):
            matrix[a, b] = max(matrix[a, b], group.compatibility)
    unstable = class_ids(config.unstable)
    matrix[unstable, :] = 0
    matrix[:, unstable] = 0
    return matrix


def is_class(labels: npt.NDArray[np.integer]) -> Bool:
    """Which labels are those of a class."""
    return np.asarray(labels) < NUM_CLASSES


def pixel_indices(label_map: LabelMap, points2D: npt.NDArray[np.floating]) -> tuple[Int64, Int64]:
    """(N,) rows and (N,) columns of a label map for (N, 2) pixels of its image; both -1 for points
    that are not finite or not in the image."""
    height, width = label_map.labels.shape
    image_width, image_height = label_map.image_size
    points = np.asarray(points2D, np.float64).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        inside = (points >= 0).all(axis=1)
        inside &= (points[:, 0] <= image_width) & (points[:, 1] <= image_height)
    safe = np.where(inside[:, None], points, 0.0)
    # the last pixel has its far border too
    columns = np.minimum((safe[:, 0] * (width / image_width)).astype(np.int64), width - 1)
    rows = np.minimum((safe[:, 1] * (height / image_height)).astype(np.int64), height - 1)
    return np.where(inside, rows, -1), np.where(inside, columns, -1)


def labels_at(label_map: LabelMap, points2D: npt.NDArray[np.floating]) -> UInt8:
    """(N,) labels of the pixels that (N, 2) points lie in; unknown outside the image."""
    rows, columns = pixel_indices(label_map, points2D)
    return np.where(rows >= 0, label_map.labels[rows, columns], UNKNOWN_LABEL).astype(np.uint8)


def window_radii(label_map: LabelMap, config: SemanticsConfig) -> tuple[int, int]:
    """Rows and columns of the label map that the tolerance window reaches to each side."""
    height, width = label_map.labels.shape
    image_width, image_height = label_map.image_size
    radius_px = config.window_px * max(image_width, image_height) / config.reference_side_px
    rows, columns = radius_px * height / image_height, radius_px * width / image_width
    return int(np.floor(rows + 0.5)), int(np.floor(columns + 0.5))


def label_windows(label_map: LabelMap, config: SemanticsConfig) -> LabelWindows:
    """The classes around each pixel, in time that hardly grows with the window."""
    bit_of = np.zeros(256, np.uint32)
    bit_of[:NUM_CLASSES] = np.uint32(1) << np.arange(NUM_CLASSES, dtype=np.uint32)
    bits = bit_of[label_map.labels]
    rows, columns = window_radii(label_map, config)
    bits = _joined_rows(_joined_rows(bits, rows).T, columns).T
    bits.flags.writeable = False
    return LabelWindows(label_map, bits)


def classes_near(
    windows: LabelWindows, points2D: npt.NDArray[np.floating]
) -> npt.NDArray[np.bool_]:
    """(N, 19) which classes lie within the window of each point; none if the point lies outside the
    image or its own pixel is unknown."""
    rows, columns = pixel_indices(windows.label_map, points2D)
    known = (rows >= 0) & is_class(windows.label_map.labels[rows, columns])
    bits = np.where(known, windows.bits[rows, columns], np.uint32(0))
    return (bits[:, None] >> np.arange(NUM_CLASSES, dtype=np.uint32) & np.uint32(1)).astype(bool)


def _joined_rows(bits: npt.NDArray[np.uint32], radius: int) -> npt.NDArray[np.uint32]:
    """Each column's bits, joined over 2 radius + 1 rows: windows of 2^n, and two of them make any
    height since joining twice does no harm."""
    length = len(bits)
    radius = min(radius, length)
    height = 2 * radius + 1
    joined = np.pad(bits, ((radius, radius), (0, 0)))
    reach = 1
    while 2 * reach <= height:
        joined = joined[:-reach] | joined[reach:]
        reach *= 2
    rest = height - reach
    return joined[:length] | joined[rest : rest + length]
