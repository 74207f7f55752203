"""RootSIFT (Lowe 2004, Arandjelovic 2012) on OpenCV's SIFT."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.registry import Runtime
from hloc_lite.types import Float32, LocalFeatures, Photo, UInt8


class RootSiftExtractor:
    """SIFT extractor with Hellinger normalization: L1 norm, then square root.

    A position appears once per orientation. Scores are contrasts, scales are diameters;
    orientations are measured from the x axis towards the y axis.
    """

    descriptor_dim = 128

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        self._config = config

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Features of each photo, in order."""
        return extract_with(_detect, self.descriptor_dim, photos, self._config)


def _detect(images: Sequence[UInt8]) -> list[Candidates]:
    # without the precise upscale, OpenCV's doubled first octave is shifted by 1/4 pixel
    sift = cv2.SIFT.create(enable_precise_upscale=True)
    return [_detect_one(sift, image) for image in images]


def _detect_one(sift: cv2.SIFT, image: UInt8) -> Candidates:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    keypoints, raw = sift.detectAndCompute(gray, None)
    descriptors = np.zeros((0, 128), np.float32)
    if raw is not None:
        descriptors = _hellinger_normalized(raw.astype(np.float32))
    return Candidates(
        indices_xy=np.array([k.pt for k in keypoints], np.float32).reshape(-1, 2),
        scores=np.array([k.response for k in keypoints], np.float32),
        describe=lambda rows: descriptors[rows],
        diameters=np.array([k.size for k in keypoints], np.float32),
        orientations_rad=np.deg2rad(np.array([k.angle for k in keypoints], np.float32)),
    )


def _hellinger_normalized(descriptors: Float32) -> Float32:
    """Square roots of the L1-normalized rows, which have unit L2 norm."""
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.sqrt(descriptors / sums)
