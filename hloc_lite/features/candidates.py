"""The steps that all extractors share: resize, detect, select the best keypoints, describe those.

A detector returns ``Candidates``: all local maxima of its score map, and a function that describes
some of them. The selection (mask, minimum score, order, number) is the same for all detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from hloc_lite.config import FeaturesConfig
from hloc_lite.io.image_resizing import resize, resized_size
from hloc_lite.types import Float32, Int64, LocalFeatures, Photo, UInt8


@dataclass(frozen=True, eq=False)
class Candidates:
    """Keypoint candidates of one resized image, in any order."""

    indices_xy: Float32
    """(N, 2) array coordinates of the resized image: (0, 0) is the CENTRE of its first pixel."""
    scores: Float32
    """(N,) detection scores."""
    describe: Callable[[Int64], npt.NDArray[np.floating]]
    """Returns (K, D) descriptors of any norm for (K,) rows."""
    diameters: Float32 | None = None
    """(N,) keypoint diameters in pixels of the resized image."""
    orientations_rad: Float32 | None = None
    """(N,) keypoint orientations."""


Detector = Callable[[Sequence[UInt8]], Sequence[Candidates]]
"""Returns the candidates of each of several (h, w, 3) images of one size."""


def extract_with(
    detect: Detector,
    descriptor_dim: int,
    photos: Sequence[Photo],
    config: FeaturesConfig,
    multiple: int = 1,
) -> list[LocalFeatures]:
    """Features of each photo, in order; photos of equal size go to ``detect`` in one batch.

    Args:
        detect: the detector.
        descriptor_dim: D, for photos without keypoints.
        photos: photos of any size; uniform ones have no features and are not passed to ``detect``.
        config: resolution, number of keypoints, minimum score, batch size.
        multiple: the sides of resized images are rounded down to multiples of it.
    """
    features = [_no_features(photo, descriptor_dim) for photo in photos]
    textured = [i for i, photo in enumerate(photos) if _has_contrast(photo)]
    for batch in _batches_by_size(textured, photos, config.batch_size):
        width, height = photos[batch[0]].width, photos[batch[0]].height
        size = resized_size(width, height, config.max_side_px, multiple)
        candidates = detect([resize(photos[i].pixels, size) for i in batch])
        for i, of_photo in zip(batch, candidates, strict=True):
            features[i] = _select(of_photo, photos[i], size, descriptor_dim, config)
    return features


def _select(
    candidates: Candidates,
    photo: Photo,
    size: tuple[int, int],
    descriptor_dim: int,
    config: FeaturesConfig,
) -> LocalFeatures:
    """The best unmasked candidates above the minimum score, in pixels of the original photo."""
    scale = np.array([photo.width / size[0], photo.height / size[1]])
    keypoints = (candidates.indices_xy.astype(np.float64) + 0.5) * scale
    inside = ((keypoints >= 0) & (keypoints < (photo.width, photo.height))).all(axis=1)
    allowed = np.flatnonzero(inside & (candidates.scores >= config.min_score))
    if photo.mask is not None:
        x, y = np.floor(keypoints[allowed]).astype(np.int64).T
        allowed = allowed[photo.mask[y, x]]
    # best first, ties by position, so that the order depends on the image alone
    order = np.lexsort((keypoints[allowed, 0], keypoints[allowed, 1], -candidates.scores[allowed]))
    chosen = allowed[order[: config.max_keypoints]]
    if len(chosen) == 0:
        return _no_features(photo, descriptor_dim)
    descriptors = candidates.describe(chosen).astype(np.float32, copy=False)
    norms = np.linalg.norm(descriptors, axis=1, keepdims=True)
    diameters, orientations = candidates.diameters, candidates.orientations_rad
    mean_scale = float(np.sqrt(scale.prod()))
    return LocalFeatures(
        keypoints=keypoints[chosen].astype(np.float32),
        descriptors=descriptors / np.maximum(norms, np.finfo(np.float32).tiny),
        scores=candidates.scores[chosen],
        image_size=(photo.width, photo.height),
        scales=None if diameters is None else diameters[chosen] * np.float32(mean_scale),
        orientations_rad=None if orientations is None else orientations[chosen],
    )


def _no_features(photo: Photo, descriptor_dim: int) -> LocalFeatures:
    return LocalFeatures(
        keypoints=np.zeros((0, 2), np.float32),
        descriptors=np.zeros((0, descriptor_dim), np.float32),
        scores=np.zeros(0, np.float32),
        image_size=(photo.width, photo.height),
    )


def _has_contrast(photo: Photo) -> bool:
    return photo.pixels.size > 0 and bool(photo.pixels.min() != photo.pixels.max())


def _batches_by_size(
    idxs: Sequence[int], photos: Sequence[Photo], batch_size: int
) -> Iterable[list[int]]:
    """Indices of photos of equal size, at most ``batch_size`` at a time."""

    def size_of(i: int) -> tuple[int, int]:
        return photos[i].width, photos[i].height

    for _, group in groupby(sorted(idxs, key=size_of), key=size_of):
        same = list(group)
        for start in range(0, len(same), batch_size):
            yield same[start : start + batch_size]
