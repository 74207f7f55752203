"""Which landmarks stay, and how they are coded: known answers and promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.maps.compact_arrays import subset_model
from hloc_lite.maps.landmark_selection import observations_of, select_landmarks
from hloc_lite.maps.quantization import (
    Coding,
    ProductCodes,
    from_bits,
    row_bytes,
    to_bits,
    to_int8,
    to_product_codes,
)
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Rigid3

CAMERA = Camera("SIMPLE_PINHOLE", 100, 80, np.array([90.0, 50, 40]))


def model_of(rows_of_images: list[np.ndarray], num_points: int, seed: int = 0) -> SfmModel:
    rng = np.random.default_rng(seed)
    images = tuple(
        SfmImage(i, f"{i:03}", 1, Rigid3.identity(), rng.uniform(0, (100, 80), (len(r), 2)), r)
        for i, r in enumerate(rows_of_images)
    )
    return SfmModel({1: CAMERA}, images, np.arange(num_points), rng.uniform(1, 2, (num_points, 3)),
                    np.zeros((num_points, 3)), rng.uniform(0.1, 2, num_points))  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 1.2))
def test_the_budget_holds_and_every_image_keeps_its_share(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    num = int(rng.integers(1, 300))
    rows = [rng.integers(-1, num, int(rng.integers(0, 80))) for _ in range(int(rng.integers(1, 9)))]
    model = model_of(rows, num, seed)
    seen = observations_of(model)
    lengths = np.bincount(seen.landmarks, minlength=num)
    cost = 10 + 4 * lengths
    budget = share * cost[lengths > 0].sum()
    found = select_landmarks(seen, model.errors_px, budget, 10, 4)
    kept = found.landmarks
    assert (np.diff(kept) > 0).all() and (lengths[kept] > 0).all()
    assert cost[kept].sum() <= budget + 1e-6
    for image in model.images:
        own = np.setdiff1d(image.point3D_idxs, [NO_POINT])
        assert np.isin(own, kept).sum() >= min(found.least, len(own))
    if share >= 1:
        assert len(kept) == (lengths > 0).sum()


def test_an_image_of_few_landmarks_keeps_them_all() -> None:
    """One image sees 8 that no other sees; nine others see the same 1000."""
    common = np.arange(1000)
    model = model_of([*[common] * 9, np.arange(1000, 1008)], 1008)
    found = select_landmarks(observations_of(model), model.errors_px, 60 * 100, 100, 0)
    assert set(range(1000, 1008)) <= set(found.landmarks.tolist())
    assert found.least == 52 == len(found.landmarks) - 8


def test_long_tracks_and_exact_points_go_first() -> None:
    everywhere, pairs = np.arange(20), np.arange(20, 100)
    images = [np.concatenate([everywhere, pairs[i * 10 : i * 10 + 20]]) for i in range(7)]
    model = model_of(images, 100)
    seen = observations_of(model)
    found = select_landmarks(seen, np.ones(100), 10 * 100, 100, 0)
    assert (found.landmarks < 20).all() and len(found.landmarks) == 10
    errors = np.where(np.arange(100) % 2 == 0, 0.1, 5.0)
    found = select_landmarks(seen, errors, 8 * 100, 100, 0)
    assert (found.landmarks < 20).all() and (found.landmarks % 2 == 0).all()


def test_landmarks_spread_in_the_image() -> None:
    """90 of 100 lie in one corner; of the 20 that are kept, no more than half do."""
    xy = np.concatenate([np.full((90, 2), 3.0), np.array([[95, 8.0 * i] for i in range(10)])])
    image = SfmImage(1, "a", 1, Rigid3.identity(), xy, np.arange(100))
    model = SfmModel({1: CAMERA}, (image,), np.arange(100), np.ones((100, 3)),
                     np.zeros((100, 3)), np.ones(100))  # fmt: skip
    found = select_landmarks(observations_of(model), model.errors_px, 20, 1, 0)
    assert len(found.landmarks) == 20 and (found.landmarks < 90).sum() <= 10


def test_a_part_of_a_model() -> None:
    model = model_of([np.array([3, -1, 0, 2]), np.array([1, 1])], 4)
    part = subset_model(model, np.array([0, 3]))
    assert [image.point3D_idxs.tolist() for image in part.images] == [[1, 0], []]
    assert np.array_equal(part.images[0].keypoints, model.images[0].keypoints[[0, 2]])
    assert part.point3D_ids.tolist() == [0, 3] and np.array_equal(part.xyz, model.xyz[[0, 3]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 200))
def test_whole_numbers_are_exact_to_half_a_step(seed: int, dim: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((9, dim)) ** 3
    rows[0] = 0
    greatest = np.abs(rows).max(axis=1, keepdims=True)
    found = to_int8(rows)
    assert found.dtype == np.int8 and (np.abs(found).max(axis=1)[1:] == 127).all()
    assert (np.abs(found * (greatest / 127) - rows) <= greatest / 254 + 1e-9).all()


def test_product_codes_are_the_rows_where_there_are_few() -> None:
    rows = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    codes = to_product_codes(rows)
    assert codes.shape == (200, 8) and len(codes) == 200 and codes.codes.shape == (200, 2)
    assert np.abs(codes[np.array([5, 199])] - rows[[5, 199]]).max() < 0.25
    assert np.abs(codes[:] - rows).mean() < 0.02
    assert np.array_equal(to_product_codes(rows).codes, codes.codes)
    assert row_bytes(Coding.PQ, 8) == 2
    with pytest.raises(ShapeError, match="use int8"):
        to_product_codes(rows[:, :6])
    with pytest.raises(ShapeError, match="codebooks"):
        ProductCodes(codes.codes, codes.codebooks[:, :5])


def test_bits_are_signs() -> None:
    rows = np.array([[0.5, -0.5, 1, -1, 2, -2, 3, -3, 0.1]])
    bits = to_bits(rows)
    assert bits.shape == (1, row_bytes(Coding.BITS, 9)) == (1, 2)
    assert np.array_equal(from_bits(bits, 9), np.sign(rows))
