"""A local feature in one file: copy this, rename it, and put your detector in ``detect``.

It works as it is: Harris corners (Harris and Stephens 1988), described by upright SIFT.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Photo, UInt8

BLOCK_PX, SUPPRESSION_PX, DIAMETER_PX = 3, 5, 12.0
MIN_RESPONSE = 1e-5
"""Least corner response of an image with values in [0, 1]; below are only noise and edges."""


class HarrisExtractor:
    """Harris corners with SIFT descriptors."""

    descriptor_dim = 128

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        # a network would be loaded here: runtime.weights.path(name), on runtime.device
        self._config = config

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Extract features of each photo, in order.

        ``extract_with`` resizes the photos, applies masks, keeps the best keypoints, and converts
        their coordinates to pixels of the original photo.
        """
        return extract_with(detect, self.descriptor_dim, photos, self._config)


def detect(images: Sequence[UInt8]) -> list[Candidates]:
    """Find all keypoints in (h, w, 3) RGB images of one size; the best are chosen later."""
    return [_detect_one(image) for image in images]


def _detect_one(image: UInt8) -> Candidates:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    response = cv2.cornerHarris(grey.astype(np.float32) / 255, BLOCK_PX, 3, 0.04)
    window = np.ones((SUPPRESSION_PX, SUPPRESSION_PX), np.uint8)
    is_peak = (response == cv2.dilate(response, window)) & (response > MIN_RESPONSE)
    y, x = np.nonzero(is_peak)

    def describe(rows: np.ndarray) -> np.ndarray:
        points = [cv2.KeyPoint(float(x[row]), float(y[row]), DIAMETER_PX, 0.0) for row in rows]
        _, descriptors = cv2.SIFT.create().compute(grey, points)
        return descriptors

    return Candidates(
        indices_xy=np.stack([x, y], axis=1).astype(np.float32),  # (0, 0): centre of a pixel
        scores=response[y, x].astype(np.float32),
        describe=describe,
    )
