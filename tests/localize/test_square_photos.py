"""Square photos turned by EXIF: intrinsics are taken for the turned photo, and that is said."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import Config, ImagesConfig
from hloc_lite.localize.query import query_camera, read_query
from hloc_lite.types import Camera
from tests.io.photos import exif

STORED = Config(images=ImagesConfig(exif_rotation=False))
OFF_CENTER = Camera("PINHOLE", 64, 64, np.array([60.0, 60.0, 40.0, 30.0]))


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A square photo that EXIF turns by a quarter turn; its stored upper left corner is white."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32] = 255
    Image.fromarray(pixels).save(tmp_path / "square.png", exif=exif(6))
    return tmp_path / "square.png"


def test_given_intrinsics_are_those_of_the_turned_photo_and_that_is_said(turned, caplog) -> None:
    photo = read_query(turned, "square.png", Config())
    assert photo.exif["orientation"] == 6 and photo.pixels[0, -1, 0] == 255
    with caplog.at_level(logging.WARNING):
        camera = query_camera(photo, OFF_CENTER, Config())
    assert np.array_equal(camera.params, OFF_CENTER.params)
    assert "taken for the turned photo" in caplog.text and "exif_rotation=false" in caplog.text


def test_nothing_is_said_where_the_turn_makes_no_difference(turned, caplog) -> None:
    centered = Camera("PINHOLE", 64, 64, np.array([60.0, 60.0, 32.0, 32.0]))
    with caplog.at_level(logging.WARNING):
        query_camera(read_query(turned, "square.png", Config()), centered, Config())
        as_stored = read_query(turned, "square.png", STORED)
        query_camera(as_stored, OFF_CENTER, STORED)
    assert "orientation" not in as_stored.exif and as_stored.pixels[0, 0, 0] == 255
    assert not caplog.records
