"""RootSIFT on synthetic images with known positions, sizes and orientations."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.rootsift import RootSiftExtractor
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Photo


def extract(pixels: np.ndarray, **settings: object) -> LocalFeatures:
    config = FeaturesConfig(name="rootsift", **settings)
    extractor = RootSiftExtractor("rootsift", config, Runtime(weights=None))  # type: ignore[arg-type]
    return extractor.extract([Photo("x", np.ascontiguousarray(pixels))])[0]


def blobs(centers: np.ndarray, sigma: float, width: int, height: int) -> np.ndarray:
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    image = np.full((height, width), 30.0)
    for cx, cy in centers:
        image += 200 * np.exp(-((x - cx)[None] ** 2 + (y - cy)[:, None] ** 2) / (2 * sigma**2))
    return np.repeat(np.round(image.clip(0, 255)).astype(np.uint8)[:, :, None], 3, axis=2)


def texture(seed: int = 0) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(seed).normal(size=(240, 321))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.repeat((255 * smooth).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("max_side_px", [400, 200])
def test_blobs_are_found_with_position_and_size(max_side_px):
    centers = np.array([[60.5, 70.25], [200.0, 90.75], [330.4, 180.5], [90.1, 220.0]])
    features = extract(blobs(centers, 6.0, 400, 300), max_side_px=max_side_px)
    distances = np.linalg.norm(features.keypoints[:, None] - centers, axis=2)
    assert distances.min(axis=0).max() < 0.1
    assert features.scales is not None
    # the diameter of a keypoint is twice the scale of the blob
    assert np.allclose(features.scales[distances.argmin(axis=0)] / 2, 6.0, rtol=0.15)


def nearest_displacements(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    offsets = b[None] - a[:, None]
    distances = np.linalg.norm(offsets, axis=2)
    nearest = distances.argmin(axis=1)
    return offsets[np.arange(len(a)), nearest][distances.min(axis=1) < radius]


@pytest.mark.parametrize("max_side_px", [321, 160])
def test_mirrored_images_give_mirrored_keypoints(max_side_px):
    pixels = texture()
    height, width = pixels.shape[:2]
    straight = extract(pixels, max_side_px=max_side_px).keypoints
    mirrored = extract(pixels[::-1, ::-1], max_side_px=max_side_px).keypoints
    displacements = nearest_displacements(straight, [width, height] - mirrored, 2.0)
    assert len(displacements) > 0.8 * len(straight) > 50
    # an error of half a pixel would appear twice
    assert np.abs(np.median(displacements, axis=0)).max() < 0.1


def test_orientations_rotate_with_the_image_from_x_to_y():
    pixels = texture(1)[:240, :240]
    straight = extract(pixels)
    # clockwise: +x becomes +y (down), (x, y) becomes (240 - y, x)
    turned = extract(np.rot90(pixels, -1))
    moved = np.stack([240 - straight.keypoints[:, 1], straight.keypoints[:, 0]], axis=1)
    assert straight.orientations_rad is not None and turned.orientations_rad is not None
    agree = 0
    for point, angle in zip(moved, straight.orientations_rad, strict=True):
        near = np.linalg.norm(turned.keypoints - point, axis=1) < 0.5
        expected = angle + np.pi / 2
        differences = np.abs(np.angle(np.exp(1j * (turned.orientations_rad[near] - expected))))
        agree += bool(near.any() and differences.min() < np.deg2rad(5))
    assert agree > 0.8 * len(straight) > 40


def test_descriptors_are_square_roots_of_l1_normalized_rows():
    descriptors = extract(texture(2)).descriptors
    assert (descriptors >= 0).all()
    assert np.allclose((descriptors**2).sum(axis=1), 1, atol=1e-5)
