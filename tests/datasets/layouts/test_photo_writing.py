"""Photos on their way into another layout: division of queries, cameras, refusals."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.layouts.photo_writing import (
    as_pinhole,
    common_pinhole,
    dealt_queries,
    is_same,
    map_photos,
)
from hloc_lite.errors import FormatError
from hloc_lite.types import Camera
from tests.datasets.layouts.made_dataset import PINHOLE, RADIAL, made_dataset


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ("a", {"a": 17}),
        ("ab", {"a": 12, "b": 5}),
        ("abc", {"a": 12, "b": 3, "c": 2}),
        ("abcd", {"a": 12, "b": 3, "c": 1, "d": 1}),
        ("abcdef", {"a": 12, "b": 3, "c": 1, "d": 1, "e": 0, "f": 0}),
    ],
)
def test_conditions_are_dealt_in_order(
    tmp_path: Path, places: str, expected: dict[str, int]
) -> None:
    dataset = made_dataset(tmp_path)
    dealt = dealt_queries(dataset, tuple(places))
    assert {key: len(photos) for key, photos in dealt.items()} == expected
    names = [photo.name for photos in dealt.values() for photo in photos]
    assert names == list(dataset.query_names)


def test_queries_without_truth_have_no_place_among_public_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = made_dataset(tmp_path)
    dataset = made_dataset(tmp_path, ground_truth={"night": full.ground_truth["night"]})
    with caplog.at_level(logging.WARNING):
        dealt = dealt_queries(dataset, ("a", "b", "c"), with_truth=["a", "b"])
    assert {key: len(photos) for key, photos in dealt.items()} == {"a": 0, "b": 3, "c": 2}
    assert "12 queries without a pose left out" in caplog.text


def test_data_sets_that_have_no_metric_poses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="benchmarks are in metres, its unit is not known"):
        map_photos(made_dataset(tmp_path, unit_length=2.0))
    with pytest.raises(FormatError, match=r"the map image 'map/0000\.jpg' has no known pose"):
        map_photos(made_dataset(tmp_path, reference=None))
    with pytest.raises(FormatError, match="has no map images"):
        map_photos(made_dataset(tmp_path, map_image_names=()))


def test_common_camera(tmp_path: Path) -> None:
    photos = map_photos(made_dataset(tmp_path))
    assert is_same(common_pinhole(photos), PINHOLE)
    square = common_pinhole(photos, square=True)
    assert square.params.tolist() == [61, 61, 32, 24]
    # 1.25 times as high as wide, compared with the photo: it is cropped
    near = common_pinhole(photos, (640, 600))
    assert near.params.tolist() == [12.5 * 61, 12.5 * 61, 320, 300]
    # a portrait photo shows it whole
    tall = common_pinhole(photos, (540, 960))
    assert tall.params.tolist() == [540 / 64 * 61, 540 / 64 * 61, 270, 480]
    mixed = map_photos(made_dataset(tmp_path, (RADIAL, PINHOLE)))
    assert common_pinhole(mixed).params.tolist() == [61, 61, 32, 24]


def test_same_cameras() -> None:
    simple = Camera("SIMPLE_PINHOLE", 64, 48, np.array([60.0, 32.0, 24.0]))
    assert is_same(simple, as_pinhole(simple))
    assert not is_same(simple, PINHOLE)
    assert not is_same(RADIAL, as_pinhole(RADIAL))
    assert is_same(RADIAL, RADIAL)
