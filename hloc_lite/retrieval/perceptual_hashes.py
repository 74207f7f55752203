"""``ahash``, ``dhash``, ``phash``: perceptual hashes of 64 bits, for near duplicates.

A bit becomes +1/8 or -1/8, so that a hash is a unit vector, whose cosine is 1 - 2 h / 64 at the
Hamming distance h. Duplicates have h of about 10 at most, a cosine above 0.68.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn

from hloc_lite.config import RetrievalConfig
from hloc_lite.io.image_resizing import resize
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.pretrained import PretrainedDescriptor
from hloc_lite.types import Bool, Float32, Photo

SIDE = 8
"""The 64 bits are 8 x 8."""
DCT_SIDE = 32
"""Side of the picture whose cosine transform is taken."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


def average_hash(grey: Float32) -> Bool:
    """(8, 8) pixels of an 8 x 8 picture that are brighter than its mean."""
    return grey > grey.mean()


def difference_hash(grey: Float32) -> Bool:
    """(8, 8) pixels of an 8 x 9 picture whose right neighbour is brighter."""
    return grey[:, 1:] > grey[:, :-1]


def dct_hash(grey: Float32) -> Bool:
    """(8, 8) lowest coefficients of a 32 x 32 picture that are above their median."""
    low = dctn(grey, norm="ortho")[:SIDE, :SIDE]
    return low > np.median(low)


HASHES = {
    "ahash": (average_hash, (SIDE, SIDE)),
    "dhash": (difference_hash, (SIDE + 1, SIDE)),
    "phash": (dct_hash, (DCT_SIDE, DCT_SIDE)),
}
"""Name -> function of a grey picture, and the (width, height) of that picture."""


class PerceptualHash(PretrainedDescriptor):
    """A hash as a vector of 64 values."""

    descriptor_dim = SIDE * SIDE

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        self._hash, self._size = HASHES[name]

    def describe_one(self, photo: Photo) -> Float32:
        """(64,) unit vector of a photo."""
        bits = self._hash((resize(photo.pixels, self._size) @ LUMA).astype(np.float32))
        return np.where(bits, 1 / SIDE, -1 / SIDE).astype(np.float32).ravel()
