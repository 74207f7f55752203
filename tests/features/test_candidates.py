"""Steps shared by the extractors, with detectors whose results are known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.types import Photo


def dotted_photo(width: int, height: int, centers: np.ndarray, sigma: float) -> Photo:
    """Bright Gaussian dots; ``centers`` in COLMAP pixels."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    image = np.zeros((height, width))
    for cx, cy in centers:
        image += np.exp(-((x - cx)[None] ** 2 + (y - cy)[:, None] ** 2) / (2 * sigma**2))
    gray = np.round(255 * image.clip(0, 1)).astype(np.uint8)
    return Photo("dots", np.repeat(gray[:, :, None], 3, axis=2))


def centroids(images: Sequence[np.ndarray]) -> list[Candidates]:
    """Centres of mass of the bright regions, in array coordinates: a detector without bias."""
    found = []
    for image in images:
        gray = image[:, :, 0].astype(np.float64)
        count, labels = cv2.connectedComponents((gray > 2).astype(np.uint8))
        y, x = np.indices(gray.shape)
        rows = []
        for label in range(1, count):
            mass = np.where(labels == label, gray, 0)
            rows.append(((mass * x).sum() / mass.sum(), (mass * y).sum() / mass.sum()))
        xy = np.array(rows, np.float32).reshape(-1, 2)
        found.append(Candidates(xy, np.ones(len(xy), np.float32), lambda i: np.ones((len(i), 4))))
    return found


@pytest.mark.parametrize("max_side_px", [1000, 400, 331, 200, 97])
@pytest.mark.parametrize("multiple", [1, 32])
def test_keypoints_are_pixels_of_the_original(max_side_px, multiple):
    centers = np.array([[101.3, 80.0], [300.5, 222.7], [340.25, 90.5], [61.0, 250.9]])
    photo = dotted_photo(403, 301, centers, sigma=8)
    config = FeaturesConfig(max_side_px=max_side_px)
    features = extract_with(centroids, 4, [photo], config, multiple)[0]
    order = np.argsort(features.keypoints[:, 0])
    error = features.keypoints[order] - centers[np.argsort(centers[:, 0])]
    assert np.abs(error).max() < 0.1


def grid_detector(scores: np.ndarray, xy: np.ndarray):
    def detect(images):
        return [
            Candidates(xy, scores, lambda rows: np.stack([rows + 1.0, rows * 0.0 + 2.0], axis=1))
            for _ in images
        ]

    return detect


def noisy_photo(width=64, height=64, mask=None) -> Photo:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return Photo("noise", pixels, mask)


def test_best_first_and_ties_by_position():
    xy = np.array([[5, 9], [3, 2], [9, 2], [1, 1]], np.float32)
    scores = np.array([0.5, 0.5, 0.5, 0.9], np.float32)
    features = extract_with(grid_detector(scores, xy), 2, [noisy_photo()], FeaturesConfig())[0]
    assert features.keypoints.tolist() == [[1.5, 1.5], [3.5, 2.5], [9.5, 2.5], [5.5, 9.5]]
    assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1)
    # descriptors follow their keypoints: rows 3, 1, 2, 0 of the detector
    ratio = features.descriptors[:, 0] / features.descriptors[:, 1]
    assert np.allclose(ratio, [2, 1, 1.5, 0.5])


def test_masks_apply_before_max_keypoints():
    xy = np.stack([np.arange(40), np.full(40, 7)], axis=1).astype(np.float32)
    scores = np.linspace(1, 0.1, 40).astype(np.float32)
    mask = np.ones((64, 64), bool)
    mask[:, :20] = False
    photo = noisy_photo(mask=mask)
    config = FeaturesConfig(max_keypoints=16)
    features = extract_with(grid_detector(scores, xy), 2, [photo], config)[0]
    assert features.keypoints[:, 0].tolist() == [x + 0.5 for x in range(20, 36)]


def test_low_scores_and_points_outside_are_dropped():
    xy = np.array([[0, 0], [1, 1], [-0.6, 5], [63.6, 5], [5, 64]], np.float32)
    scores = np.array([0.3, 0.7, 0.9, 0.9, 0.9], np.float32)
    config = FeaturesConfig(min_score=0.5)
    features = extract_with(grid_detector(scores, xy), 2, [noisy_photo()], config)[0]
    assert features.keypoints.tolist() == [[1.5, 1.5]]


def test_photos_of_equal_size_run_in_batches_and_keep_their_order():
    shapes = []

    def detect(images):
        shapes.append([image.shape[:2] for image in images])
        return [
            Candidates(
                np.array([[image[0, 0, 0] % 8, 0]], np.float32),
                np.ones(1, np.float32),
                lambda rows: np.ones((len(rows), 2)),
            )
            for image in images
        ]

    def photo(index: int, width: int) -> Photo:
        pixels = np.zeros((32, width, 3), np.uint8)
        pixels[0, 0] = index
        pixels[1, 1] = 200
        return Photo(str(index), pixels)

    photos = [photo(i, 40 if i % 2 else 48) for i in range(7)]
    features = extract_with(detect, 2, photos, FeaturesConfig(batch_size=2))
    assert [f.keypoints[0, 0] for f in features] == [i + 0.5 for i in range(7)]
    assert sorted(len(batch) for batch in shapes) == [1, 2, 2, 2]
    assert all(len(set(batch)) == 1 for batch in shapes)


def test_uniform_photos_are_not_passed_to_the_detector():
    def fail(images):
        raise AssertionError("a uniform photo was passed to the detector")

    flat = Photo("flat", np.full((20, 30, 3), 128, np.uint8))
    empty = Photo("empty", np.zeros((0, 0, 3), np.uint8))
    features = extract_with(fail, 64, [flat, empty], FeaturesConfig())
    assert [len(f) for f in features] == [0, 0]
    assert features[0].descriptors.shape == (0, 64)
    assert features[0].image_size == (30, 20)
