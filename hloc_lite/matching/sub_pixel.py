"""Corners that photos are matched at, and their sub-pixel positions in the other photo."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hloc_lite.types import Bool, Float32, Int64, UInt8

CORNER_WINDOW_PX = 5
"""Side of the window whose texture makes a corner."""
MIN_CORNER = 2e-5
"""Least eigenvalue of the mean gradient products of a corner (grey values in [0, 1], Sobel): 1 grey
level of noise gives less."""
BORDER_PX = 8
"""Corners nearer to the border are left out: half the tracking window would lie outside."""
TRACK_WINDOW_PX = 15
"""Side of the window that is tracked. 9 gives 5 % fewer matches, as accurate."""
MAX_SHIFT_CELLS = 1.5
"""Largest correction of a match of two fine cells, in cells."""
MAX_BACKWARD_PX = 0.5
"""Largest distance from where tracking started after tracking back."""
SNAP_PX = 0.75
"""Corners of the other photo take matches within this distance, as shared keypoints make long
tracks. Poses at a door are a quarter less accurate with 0.3 px, or without."""


def cell_corners(gray: UInt8, stride: int) -> tuple[Float32, Bool]:
    """Strongest corner of each cell of a grid.

    Args:
        gray: (h, w) grey values; both sides are multiples of twice ``stride``.
        stride: side of a cell, pixels.

    Returns:
        (h / stride, w / stride, 2) positions, (0.5, 0.5) in the middle of the first pixel; and the
        mask of cells whose corner is strong, and the strongest of the 2 x 2 cells it belongs to.
    """
    scaled = gray.astype(np.float32) / 255
    strength = cv2.cornerMinEigenVal(scaled, CORNER_WINDOW_PX, ksize=3)
    height, width = gray.shape
    strength[:BORDER_PX], strength[-BORDER_PX:] = 0, 0
    strength[:, :BORDER_PX], strength[:, -BORDER_PX:] = 0, 0
    rows, columns = height // stride, width // stride
    split = strength.reshape(rows, stride, columns, stride).transpose(0, 2, 1, 3)
    blocks = split.reshape(rows, columns, stride * stride)
    place, best = blocks.argmax(axis=2), blocks.max(axis=2)
    x = np.arange(columns)[None, :] * stride + place % stride
    y = np.arange(rows)[:, None] * stride + place // stride
    positions = np.stack(np.broadcast_arrays(x, y), axis=2).astype(np.float32)
    quads = best.reshape(rows // 2, 2, columns // 2, 2).max(axis=(1, 3))
    is_best = best == quads.repeat(2, axis=0).repeat(2, axis=1)
    is_corner = is_best & (best > MIN_CORNER)
    return _sharpened(gray, positions, is_corner) + 0.5, is_corner


def track(
    first: UInt8, second: UInt8, points: Float32, guesses: Float32, max_shift_px: float
) -> tuple[Float32, Bool]:
    """Positions in the second photo, by Lucas-Kanade from a guess, and back as a check.

    Args:
        first: (h, w) grey values.
        second: (h', w').
        points: (K, 2) positions in the first.
        guesses: (K, 2) positions in the second.
        max_shift_px: largest distance from the guess.

    Returns:
        (K, 2) positions in the second, and (K,) True where tracking succeeded both ways.
    """
    if len(points) == 0:
        return guesses, np.zeros(0, bool)
    size = np.maximum(first.shape, second.shape)  # OpenCV wants one size
    images = [_padded(first, size), _padded(second, size)]
    moved, is_found = _flow(images[0], images[1], points, guesses)
    back, is_back = _flow(images[1], images[0], moved, points)
    shift = np.linalg.norm(moved - guesses, axis=1)
    error = np.linalg.norm(back - points, axis=1)
    is_good = is_found & is_back & (shift <= max_shift_px) & (error <= MAX_BACKWARD_PX)
    height, width = second.shape
    is_good &= ((moved >= 0) & (moved < (width, height))).all(axis=1)
    return moved, is_good


def snapped(points: Float32, corners: Float32, max_px: float) -> tuple[Float32, Int64]:
    """Points moved to the nearest corner within ``max_px``, and its index (-1: none is near)."""
    from scipy.spatial import cKDTree

    if len(corners) == 0 or len(points) == 0:
        return points, np.full(len(points), -1)
    distances, idxs = cKDTree(corners).query(points)
    is_near = distances <= max_px
    moved = np.where(is_near[:, None], corners[np.where(is_near, idxs, 0)], points)
    return moved.astype(np.float32), np.where(is_near, idxs, -1)


def _sharpened(gray: UInt8, positions: Float32, is_corner: Bool) -> Float32:
    """Sub-pixel positions of corners; those that would leave their window stay."""
    if not is_corner.any():
        return positions
    start = positions[is_corner]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01)
    half = CORNER_WINDOW_PX // 2
    moved = cv2.cornerSubPix(gray, start[:, None].copy(), (half, half), (-1, -1), criteria)[:, 0]
    is_stable = np.linalg.norm(moved - start, axis=1) <= CORNER_WINDOW_PX / 2
    positions = positions.copy()
    positions[is_corner] = np.where(is_stable[:, None], moved, start)
    return positions


def _flow(
    first: UInt8, second: UInt8, points: Float32, guesses: Float32
) -> tuple[Float32, npt.NDArray[np.bool_]]:
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points - np.float32(0.5),  # OpenCV's (0, 0) is the centre of the first pixel
        (guesses - np.float32(0.5)).copy(),
        winSize=(TRACK_WINDOW_PX, TRACK_WINDOW_PX),
        maxLevel=2,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01),
    )
    return moved + np.float32(0.5), status[:, 0] > 0


def _padded(gray: UInt8, size: npt.NDArray[np.int64]) -> UInt8:
    below, right = size - gray.shape
    padded = cv2.copyMakeBorder(gray, 0, int(below), 0, int(right), cv2.BORDER_REPLICATE)
    return padded.astype(np.uint8, copy=False)
