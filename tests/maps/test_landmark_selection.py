"""Selection of landmarks within a budget: known answers and invariants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.maps.landmark_selection import collect_observations, select_landmarks
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Rigid3

CAMERA = Camera("SIMPLE_PINHOLE", 100, 80, np.array([90.0, 50, 40]))


def make_model(points_of_images: Sequence[np.ndarray], num_points: int, seed: int = 0) -> SfmModel:
    """Model with random points, whose images observe the given ones at random pixels."""
    rng = np.random.default_rng(seed)
    images = tuple(
        SfmImage(i, f"{i:03}", 1, Rigid3.identity(), rng.uniform(0, (100, 80), (len(p), 2)), p)
        for i, p in enumerate(points_of_images)
    )
    return SfmModel({1: CAMERA}, images, np.arange(num_points), rng.uniform(1, 2, (num_points, 3)),
                    np.zeros((num_points, 3)), rng.uniform(0.1, 2, num_points))  # fmt: skip


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.02, 1.2))
def test_budget_holds_and_every_image_keeps_the_minimum(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    num = int(rng.integers(1, 300))
    rows = [rng.integers(-1, num, int(rng.integers(0, 80))) for _ in range(int(rng.integers(1, 9)))]
    model = make_model(rows, num, seed)
    observations = collect_observations(model)
    lengths = np.bincount(observations.landmark_idxs, minlength=num)
    cost = 10 + 4 * lengths
    budget = share * cost[lengths > 0].sum()
    found = select_landmarks(observations, model.errors_px, budget, 10, 4)
    kept = found.landmark_idxs
    assert (np.diff(kept) > 0).all() and (lengths[kept] > 0).all()
    assert cost[kept].sum() <= budget + 1e-6
    for image in model.images:
        own = np.setdiff1d(image.point3D_idxs, [NO_POINT])
        assert np.isin(own, kept).sum() >= min(found.min_per_image, len(own))
    if share >= 1:
        assert len(kept) == (lengths > 0).sum()


def test_image_with_few_landmarks_keeps_them_all() -> None:
    """One image observes 8 landmarks of its own; nine others observe the same 1000."""
    common = np.arange(1000)
    model = make_model([*[common] * 9, np.arange(1000, 1008)], 1008)
    found = select_landmarks(collect_observations(model), model.errors_px, 60 * 100, 100, 0)
    assert set(range(1000, 1008)) <= set(found.landmark_idxs.tolist())
    assert found.min_per_image == 52 == len(found.landmark_idxs) - 8


def test_long_tracks_and_accurate_points_come_first() -> None:
    everywhere, pairs = np.arange(20), np.arange(20, 100)
    images = [np.concatenate([everywhere, pairs[i * 10 : i * 10 + 20]]) for i in range(7)]
    observations = collect_observations(make_model(images, 100))
    kept = select_landmarks(observations, np.ones(100), 10 * 100, 100, 0).landmark_idxs
    assert (kept < 20).all() and len(kept) == 10
    errors = np.where(np.arange(100) % 2 == 0, 0.1, 5.0)
    kept = select_landmarks(observations, errors, 8 * 100, 100, 0).landmark_idxs
    assert (kept < 20).all() and (kept % 2 == 0).all()


def test_landmarks_are_spread_over_the_image() -> None:
    """90 of 100 landmarks lie in one corner; at most half of the 20 that are kept do."""
    xy = np.concatenate([np.full((90, 2), 3.0), np.array([[95, 8.0 * i] for i in range(10)])])
    image = SfmImage(1, "a", 1, Rigid3.identity(), xy, np.arange(100))
    model = SfmModel({1: CAMERA}, (image,), np.arange(100), np.ones((100, 3)),
                     np.zeros((100, 3)), np.ones(100))  # fmt: skip
    kept = select_landmarks(collect_observations(model), model.errors_px, 20, 1, 0).landmark_idxs
    assert len(kept) == 20 and (kept < 90).sum() <= 10
