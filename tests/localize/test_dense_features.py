"""Dense RootSIFT: the descriptors that OpenCV's SIFT has at the same places."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.config import Config
from hloc_lite.localize.dense_features import Grid, dense_root_sift, make_grid

SETTINGS = Config().view_synthesis
GRID = make_grid(240, 180, SETTINGS)


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(180, 240)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4.0)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def opencv_root_sift(grey: np.ndarray, grid: Grid) -> np.ndarray:
    size = SETTINGS.bin_px / 1.5  # side of a bin over OpenCV's size of a keypoint
    points = [cv2.KeyPoint(float(x), float(y), size, 0.0) for y in grid.rows for x in grid.columns]
    _, found = cv2.SIFT.create().compute(grey, points)
    return np.sqrt(found / found.sum(axis=1, keepdims=True))


def test_places_resemble_each_other_as_by_opencv() -> None:
    image, other = texture(1), cv2.GaussianBlur(texture(1), (0, 0), 1.5)
    own = dense_root_sift(image, GRID, SETTINGS) @ dense_root_sift(other, GRID, SETTINGS)[::9].T
    theirs = opencv_root_sift(image, GRID) @ opencv_root_sift(other, GRID)[::9].T
    assert np.corrcoef(own.ravel(), theirs.ravel())[0, 1] > 0.97


def test_rows_are_units_and_even_areas_are_zero() -> None:
    image = texture(2)
    image[:, 120:] = 77
    found = dense_root_sift(image, GRID, SETTINGS).reshape(len(GRID.rows), len(GRID.columns), 128)
    norms = np.linalg.norm(found, axis=2)
    assert np.allclose(norms[:, GRID.columns < 90], 1, atol=1e-5)
    assert not norms[:, GRID.columns > 150].any()


def test_contrast_and_brightness_do_not_matter() -> None:
    image = texture(3)
    darker = (image * 0.25 + 10).astype(np.uint8)
    cosines = np.einsum(
        "cd,cd->c",
        dense_root_sift(image, GRID, SETTINGS),
        dense_root_sift(darker, GRID, SETTINGS),
    )
    assert np.median(cosines) > 0.98


def test_a_descriptor_moves_with_the_texture() -> None:
    image = texture(4)
    moved = np.roll(image, SETTINGS.step_px, axis=1)
    shape = (len(GRID.rows), len(GRID.columns), 128)
    here, there = (dense_root_sift(i, GRID, SETTINGS).reshape(shape) for i in (image, moved))
    inner = slice(6, -6)
    same = np.einsum("rcd,rcd->rc", here[inner, 6:-7], there[inner, 7:-6])
    assert same.min() > 0.999
