"""``hsv-histogram``: histograms of hue, saturation and value by region (Swain and Ballard 1991)."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.config import RetrievalConfig
from hloc_lite.io.image_resizing import resize
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.pretrained import PretrainedDescriptor
from hloc_lite.types import Float32, Photo, UInt8

BINS = (8, 4, 4)
"""Bins of hue, saturation and value: hue tells most, and value depends on the light."""
RANGES = (180, 256, 256)
"""Values of the three channels in OpenCV's 8-bit HSV."""
GRID = 3
"""Regions along each side, so that sky above and street below are told apart."""
SIDE_PX = 192
"""Side of the picture whose pixels are counted: more change nothing."""


def histogram(hsv: UInt8) -> Float32:
    """(128,) share of the pixels in each bin, for (h, w, 3) pixels."""
    pixels = hsv.reshape(-1, 3)
    counts, _ = np.histogramdd(pixels, BINS, [(0, upper) for upper in RANGES])
    return (counts.ravel() / len(pixels)).astype(np.float32)


class ColourHistogram(PretrainedDescriptor):
    """Square roots of the shares in nine regions: cosines are Bhattacharyya coefficients."""

    descriptor_dim = GRID * GRID * int(np.prod(BINS))

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        pass

    def describe_one(self, photo: Photo) -> Float32:
        """(1152,) unit vector of a photo."""
        rgb = resize(photo.pixels, (SIDE_PX, SIDE_PX))
        hsv = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), np.uint8)
        step = SIDE_PX // GRID
        regions = [
            hsv[top : top + step, left : left + step]
            for top in range(0, SIDE_PX, step)
            for left in range(0, SIDE_PX, step)
        ]
        shares = np.concatenate([histogram(region) for region in regions])
        return np.sqrt(shares / GRID**2)
