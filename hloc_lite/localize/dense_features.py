"""Dense RootSIFT of small images, on a grid that a photo and views of a surface share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.config.view_synthesis import ViewSynthesisConfig
from hloc_lite.types import Bool, Float32, Int64, UInt8

SIFT_BINS_PER_SIZE = 1.5
"""Side of a bin over OpenCV's size of a keypoint."""
INPAINT_RADIUS_PX = 3.0
GREY, CONTRAST = 128.0, 42.0
"""Mean and standard deviation that grey values get: three deviations fit into a byte."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Pixels at which an image is described."""

    rows: Int64
    columns: Int64

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def at(self, image: np.ndarray) -> np.ndarray:
        """(C, ...) values of an image at the cells, row by row."""
        values = image[np.ix_(self.rows, self.columns)]
        return values.reshape(len(self), *image.shape[2:])

    def points(self) -> Float32:
        """(C, 2) pixel coordinates, centres of pixels."""
        columns, rows = np.meshgrid(self.columns, self.rows)
        return (np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5).astype(np.float32)


def view_scale(width: int, height: int, config: ViewSynthesisConfig) -> float:
    """Size of the views of a photo over the photo's."""
    side = max(width, height)
    longest = np.clip(side * config.scale, config.min_side_px, config.max_side_px)
    return float(min(longest / side, 1.0))


def make_grid(width: int, height: int, config: ViewSynthesisConfig) -> Grid:
    """Grid of at most ``max_cells`` over an image."""
    step = max(config.step_px, int(np.ceil(np.sqrt(width * height / config.max_cells))))
    return Grid(np.arange(step // 2, height, step), np.arange(step // 2, width, step))


def to_grey(rgb: UInt8) -> UInt8:
    """(H, W) grey values."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), np.uint8)


def normalized_grey(grey: UInt8, mask: Bool) -> UInt8:
    """Grey values with a fixed mean and contrast where valid; holes are inpainted from around."""
    values = grey[mask].astype(np.float32)
    if not len(values):
        return np.full(grey.shape, np.uint8(GREY))
    deviation = max(float(values.std()), 1.0)
    scaled = GREY + CONTRAST * (grey.astype(np.float32) - values.mean()) / deviation
    found = np.clip(scaled, 0, 255).astype(np.uint8)
    if mask.all():
        return found
    holes = (~mask).astype(np.uint8)
    return np.asarray(cv2.inpaint(found, holes, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def dense_root_sift(grey: UInt8, grid: Grid, config: ViewSynthesisConfig) -> Float32:
    """(C, 128) upright RootSIFT at the cells of a grid, unit rows; 0 where nothing is textured."""
    size = config.bin_px / SIFT_BINS_PER_SIZE
    keypoints = [
        cv2.KeyPoint(float(x), float(y), size, 0.0) for y in grid.rows for x in grid.columns
    ]
    _, descriptors = cv2.SIFT.create().compute(grey, keypoints)
    found = np.zeros((len(grid), 128), np.float32) if descriptors is None else descriptors
    sums = found.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(found / np.where(sums > 0, sums, 1)), np.float32)
