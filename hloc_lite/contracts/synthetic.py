"""Small photos and features for the contracts, the same for each seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.types import Float32, LocalFeatures, Photo


def textured_photo(seed: int, width: int = 384, height: int = 256) -> Photo:
    """Overlapping rectangles of random colours: many corners."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(60):
        x, y = rng.integers(0, (width, height))
        w, h = rng.integers(8, 64, 2)
        pixels[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return Photo(f"textured {seed}", pixels)


def uniform_photo(level: int, width: int = 96, height: int = 64) -> Photo:
    """One grey value everywhere."""
    return Photo(f"uniform {level}", np.full((height, width, 3), level, np.uint8))


def cropped(photo: Photo, left: int, top: int = 0) -> Photo:
    """The photo without its first columns and rows."""
    return Photo(f"{photo.name} cropped", photo.pixels[top:, left:].copy())


def random_features(
    rng: np.random.Generator, count: int, dim: int, size: tuple[int, int] = (640, 480)
) -> LocalFeatures:
    """Random keypoints with random descriptors."""
    keypoints = (rng.uniform(0, 1, (count, 2)) * size).astype(np.float32)
    descriptors = _unit_rows(rng.normal(size=(count, dim)))
    return LocalFeatures(keypoints, descriptors, np.linspace(1, 0, count, dtype=np.float32), size)


def nearby_features(
    rng: np.random.Generator,
    source: LocalFeatures,
    shift_px: tuple[float, float],
    noise: float,
    order: np.ndarray,
) -> LocalFeatures:
    """The same scene from nearby; row i shows what row ``order[i]`` of the source shows."""
    descriptors = source.descriptors + noise * rng.normal(size=source.descriptors.shape)
    keypoints = np.clip(source.keypoints + shift_px, 0, source.image_size)
    rows = _unit_rows(descriptors)[order]
    return LocalFeatures(keypoints[order], rows, source.scores, source.image_size)


def first_features(features: LocalFeatures, count: int) -> LocalFeatures:
    """The first ``count`` rows."""
    rows = slice(count)
    return LocalFeatures(
        features.keypoints[rows],
        features.descriptors[rows],
        features.scores[rows],
        features.image_size,
    )


def shifted_features(features: LocalFeatures, shift_px: float) -> LocalFeatures:
    """Keypoints moved right and down."""
    return replace(features, keypoints=features.keypoints + shift_px)


def _unit_rows(rows: np.ndarray) -> Float32:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
