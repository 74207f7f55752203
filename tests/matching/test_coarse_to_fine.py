"""Coarse-to-fine matching: exact views, masks, shared keypoints; each step on known grids."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts.synthetic import textured_photo
from hloc_lite.matching.coarse_to_fine import CoarseToFineMatcher
from hloc_lite.matching.feature_grids import mutual_cells, refined_cells, unit, whitened
from hloc_lite.matching.sub_pixel import MIN_CORNER, cell_corners, snapped, track
from hloc_lite.registry import Runtime
from hloc_lite.types import Photo

NAME = "coarse-to-fine-lite0"


@pytest.fixture(scope="module")
def matcher(runtime: Runtime) -> CoarseToFineMatcher:
    return CoarseToFineMatcher(NAME, MatchingConfig(), runtime)


def turned_and_scaled(photo: Photo, angle_deg: float, scale: float) -> tuple[Photo, np.ndarray]:
    """The photo turned and scaled about its centre, and the (2, 3) map of its pixels."""
    centre = (photo.width / 2 - 0.5, photo.height / 2 - 0.5)  # of OpenCV's pixels
    matrix = cv2.getRotationMatrix2D(centre, angle_deg, scale)
    size = (photo.width, photo.height)
    pixels = cv2.warpAffine(photo.pixels, matrix, size, flags=cv2.INTER_AREA)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    ours = half @ np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(half)
    return Photo("turned", pixels), ours[:2]


@pytest.mark.weights
@pytest.mark.parametrize(("angle_deg", "scale"), [(0.0, 1.0), (5.0, 1.0), (0.0, 1.1), (-8.0, 0.9)])
def test_a_turned_and_scaled_view_is_matched_to_less_than_a_pixel(
    matcher: CoarseToFineMatcher, angle_deg: float, scale: float
) -> None:
    photo = textured_photo(5, 480, 320)
    other, matrix = turned_and_scaled(photo, angle_deg, scale)
    (found,) = matcher.match_photos([(photo, other)])
    expected = found.keypoints0 @ matrix[:, :2].T + matrix[:, 2]
    errors = np.linalg.norm(found.keypoints1 - expected, axis=1)
    assert len(found) > 60
    # matches take the position of the other photo's own corners, up to 0.75 px away
    assert np.median(errors) < 0.8
    assert (errors < 2).mean() > 0.9


@pytest.mark.weights
def test_pairs_of_a_photo_share_their_keypoints(matcher: CoarseToFineMatcher) -> None:
    photo = textured_photo(5, 480, 320)
    views = [turned_and_scaled(photo, angle, 1.0)[0] for angle in (2.0, -2.0)]
    there, again = matcher.match_photos([(photo, view) for view in views])
    (back,) = matcher.match_photos([(views[0], photo)])
    first, second, third = (
        {tuple(row) for row in points.tolist()}
        for points in (there.keypoints0, again.keypoints0, back.keypoints1)
    )
    assert len(first & second) > 0.7 * len(first)
    assert len(first & third) > 0.3 * len(first), "where the photo is the second one, too"


@pytest.mark.weights
def test_masked_pixels_are_not_matched_and_sure_matches_come_first(
    matcher: CoarseToFineMatcher,
) -> None:
    photo = textured_photo(5, 480, 320)
    mask = np.ones((320, 480), bool)
    mask[:, :240] = False
    (found,) = matcher.match_photos([(replace(photo, mask=mask), photo)])
    assert len(found) > 30
    assert found.keypoints0[:, 0].min() >= 239
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.weights
def test_photos_with_nothing_in_common_give_few_matches(matcher: CoarseToFineMatcher) -> None:
    same, other = matcher.match_photos(
        [(textured_photo(5), textured_photo(5)), (textured_photo(5), textured_photo(6))]
    )
    assert len(other) < 0.1 * len(same)


def grid(seed: int, height: int, width: int, channels: int = 16) -> torch.Tensor:
    rows = np.random.default_rng(seed).normal(size=(channels, height, width))
    return torch.tensor(rows, dtype=torch.float32)


def test_whitening_removes_what_all_cells_share() -> None:
    first, second = grid(0, 6, 8), grid(1, 6, 8)
    offset = 50 * torch.ones(16, 1, 1)
    plain, shifted = whitened(first, second), whitened(first + offset, second + offset)
    for a, b in zip(plain, shifted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(a.norm(dim=0), torch.ones(6, 8))
    flat = torch.full((16, 6, 8), 3.0)
    assert all(torch.isfinite(each).all() for each in whitened(flat, flat))


def test_cells_shifted_on_a_grid_are_found_again() -> None:
    large = unit(grid(0, 12, 14))
    first, second = large[:, :, :12], large[:, 2:, 2:]
    found = mutual_cells(first, second)
    rows0, columns0 = found[:, 0] // 12, found[:, 0] % 12
    rows1, columns1 = found[:, 1] // 12, found[:, 1] % 12
    is_right = (rows0 - rows1 == 2) & (columns0 - columns1 == 2)
    assert is_right.sum() == 10 * 10, "all cells that both grids have"


def test_fine_cells_are_found_around_coarse_ones_and_counted() -> None:
    fine = unit(grid(0, 16, 16))  # 4 x 4 coarse cells of 4 x 4
    coarse = torch.stack([torch.arange(16), torch.arange(16)], dim=1)
    found = refined_cells(coarse, (4, 4), fine, fine, 4)
    assert torch.equal(found.cells[:, 0], found.cells[:, 1])
    assert len(found.cells) == 256
    support = found.support.reshape(16, 16)
    assert support[0, 0] == 4 and support[0, 8] == 6 and support[8, 8] == 9
    lone = refined_cells(torch.tensor([[0, 15]]), (4, 4), fine, fine, 4)
    far = (lone.cells[:, 0] // 16 < 8) & (lone.cells[:, 1] // 16 >= 8)
    assert far.all(), "only the 3 x 3 cells around the match are searched"


def checkerboard(height: int, width: int, side: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (((x // side + y // side) % 2) * 180 + 40).astype(np.uint8)


def test_corners_of_a_checkerboard_are_found_between_its_pixels() -> None:
    positions, is_corner = cell_corners(checkerboard(96, 128, 12), 4)
    found = positions[is_corner]
    nearest = np.round(found / 12) * 12
    assert len(found) >= 40
    assert np.abs(found - nearest).max() < 0.3
    assert not cell_corners(np.full((96, 128), 90, np.uint8), 4)[1].any()
    noise = np.random.default_rng(0).integers(89, 92, (96, 128)).astype(np.uint8)
    assert cell_corners(noise, 4)[1].mean() < 0.02, f"noise of a grey level is below {MIN_CORNER}"


def test_tracking_finds_sub_pixel_shifts_and_rejects_plain_areas() -> None:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (120, 160)).astype(np.float32), (0, 0), 2.0)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    texture[:60] = 128
    shift = np.array([2.3, -1.4], np.float32)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    moved = cv2.warpAffine(texture, matrix, (160, 120), flags=cv2.INTER_CUBIC)
    first, second = (each.clip(0, 255).astype(np.uint8) for each in (texture, moved))
    points = np.array([[80.0, 90.0], [50.0, 95.0], [110.0, 85.0], [80.0, 30.0]], np.float32)
    found, is_good = track(first, second, points, points, 6.0)
    assert is_good.tolist() == [True, True, True, False]
    np.testing.assert_allclose(found[:3] - points[:3], [shift] * 3, atol=0.1)
    none = np.zeros((0, 2), np.float32)
    assert len(track(first, second, none, none, 6.0)[0]) == 0


def test_points_snap_to_near_corners_only() -> None:
    corners = np.array([[10.0, 10.0], [20.0, 20.0]], np.float32)
    points = np.array([[10.4, 10.3], [21.0, 20.0]], np.float32)
    moved, idxs = snapped(points, corners, 0.75)
    assert moved.tolist() == [[10, 10], [21, 20]] and idxs.tolist() == [0, -1]
    assert snapped(points, corners[:0], 0.75)[1].tolist() == [-1, -1]
