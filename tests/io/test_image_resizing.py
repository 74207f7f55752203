"""Sizes and pixels of shrunk photos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.io.image_resizing import resize, resized_size


@pytest.mark.parametrize(
    ("size", "expected"),
    [((200, 100), (100, 50)), ((100, 200), (50, 100)), ((80, 60), (80, 60)), ((400, 1), (100, 1))],
)
def test_photos_are_only_shrunk(size, expected):
    assert resized_size(*size, 100) == expected
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    assert resize(pixels, expected).shape == (expected[1], expected[0], 3)


@given(
    st.integers(1, 5000), st.integers(1, 5000), st.integers(64, 2048), st.sampled_from([1, 16, 32])
)
def test_resized_size_stays_within_its_bounds(width, height, max_side_px, multiple):
    w, h = resized_size(width, height, max_side_px, multiple)
    assert 1 <= w <= min(width, max_side_px) and 1 <= h <= min(height, max_side_px)
    assert all(side % multiple == 0 or side < multiple for side in (w, h))
    if multiple == 1:
        assert max(w, h) == min(max(width, height), max_side_px)
        assert abs(w * height - h * width) <= max(width, height)  # rounded sides, same shape


def test_shrinking_averages_all_pixels():
    checkers = (np.indices((40, 40)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shrunk = resize(np.repeat(checkers[:, :, None], 3, axis=2), (10, 10))
    assert np.abs(shrunk.astype(int) - 127.5).max() <= 1
