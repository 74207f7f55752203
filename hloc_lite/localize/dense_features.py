"""Dense RootSIFT of small images, on a grid that a photo and views of a surface share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.config.view_synthesis import ViewSynthesisConfig
from hloc_lite.types import Bool, Float32, Int64, UInt8

BINS, DIRECTIONS = 4, 8
"""Bins along a side of a SIFT descriptor, and directions of gradients in each."""
WINDOW_BINS = 2.0
"""Standard deviation of the Gaussian that weighs gradients, in bins (Lowe 2004)."""
SMOOTHING_BINS = 1 / 6
"""Standard deviation of the smoothing before gradients are taken, in bins, as InLoc's code has."""
MAX_SHARE = 0.2
"""Largest share of one bin and direction in the norm of a descriptor (Lowe 2004)."""
LEAST_GRADIENT = 1e-3
"""Norm below which a descriptor is that of an even area: rounding, not texture."""
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
    """(C, 128) upright RootSIFT at the cells of a grid, unit rows; 0 where nothing is textured.

    The gradients of each of 8 directions are summed over 4 x 4 bins, for the whole image at once
    (Liu 2011). The Gaussian that weighs gradients is taken as constant within a bin. Pixels
    outside the image have no gradient.
    """
    bin_px = round(config.bin_px)
    sigma = SMOOTHING_BINS * config.bin_px
    smooth = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), sigma), np.float32)
    margin = BINS * bin_px // 2 + bin_px
    planes = np.pad(_directed_gradients(smooth), ((margin, margin), (margin, margin), (0, 0)))
    ramp = 1 - np.abs(np.arange(1 - bin_px, bin_px)) / bin_px  # shared linearly by two bins
    sums = cv2.sepFilter2D(planes, cv2.CV_32F, ramp, ramp)
    places = np.arange(BINS) - (BINS - 1) / 2
    weights = np.exp(-0.5 * np.square(places / WINDOW_BINS))
    offsets = margin + np.floor(places * bin_px).astype(np.int64)
    rows = (grid.rows[:, None] + offsets).ravel()
    columns = (grid.columns[:, None] + offsets).ravel()
    found = sums[np.ix_(rows, columns)].reshape(
        len(grid.rows), BINS, len(grid.columns), BINS, DIRECTIONS
    )
    found = found * np.outer(weights, weights)[None, :, None, :, None].astype(np.float32)
    found = found.transpose(0, 2, 1, 3, 4).reshape(len(grid), -1)
    for _ in range(2):  # Lowe 2004: no gradient may dominate
        norm = np.sqrt(np.einsum("cd,cd->c", found, found))[:, None]
        found = np.minimum(found / np.maximum(norm, LEAST_GRADIENT), MAX_SHARE)
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(found / np.where(total > 0, total, 1)), np.float32)


def _directed_gradients(grey: Float32) -> Float32:
    """(H, W, 8) gradient magnitude, shared linearly by the two nearest of 8 directions."""
    right, down = (cv2.Sobel(grey, cv2.CV_32F, *axis, ksize=1) for axis in ((1, 0), (0, 1)))
    magnitude, angle = cv2.cartToPolar(right, down)
    direction = angle.ravel() * np.float32(DIRECTIONS / (2 * np.pi))
    lower = direction.astype(np.int64)
    above = direction - lower
    planes = np.zeros((grey.size, DIRECTIONS), np.float32)
    pixels = np.arange(grey.size)
    planes[pixels, lower % DIRECTIONS] = magnitude.ravel() * (1 - above)
    planes[pixels, (lower + 1) % DIRECTIONS] = magnitude.ravel() * above
    return planes.reshape(*grey.shape, DIRECTIONS)
