"""Paths of this machine in stored maps."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.io.files import read_json
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.local_paths import local_path, local_report, portable_path
from hloc_lite.maps.map import Map
from tests.exact_scene import mapped_scene

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders of Unix")


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    """Folder of the user alice, as far from / as usual."""
    home = tmp_path / "home" / "alice"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize(
    ("photos", "map_folder", "stored"),
    [
        ("home/alice/photos", "home/alice/photos/map", ".."),
        ("home/alice/photos", "home/alice/map", "../photos"),
        ("home/alice/photos/day", "home/alice/maps/town", "../../photos/day"),
        ("home/alice/photos", "home/alice/a/b/c/map", "~/photos"),
        ("home/alice/photos", "data/maps/map", "~/photos"),
        ("home/alice/map/photos", "home/alice/map", "photos"),
    ],
)
def test_photos_are_found_again_and_the_user_is_not_named(
    home: Path, tmp_path: Path, photos: str, map_folder: str, stored: str
) -> None:
    found = portable_path(str(tmp_path / photos), tmp_path / map_folder)
    assert found == stored and "alice" not in found
    assert local_path(found, tmp_path / map_folder) == str(tmp_path / photos)


def test_far_photos_outside_of_the_users_folder_stay_absolute(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "disk" / "photos"
    found = portable_path(str(photos), home / "a" / "b" / "map")
    assert found == str(photos) == local_path(found, home / "a" / "b" / "map")


@pytest.mark.parametrize("value", [None, 7, "\0", "~root/x", ["a"]])
def test_odd_values_of_a_strangers_report_do_no_harm(value: object, tmp_path: Path) -> None:
    local_report({"images_folder": value}, tmp_path)
    assert local_report([value], tmp_path) == [value]


def test_a_stored_map_finds_its_photos_and_a_compact_one_names_none(
    home: Path, tmp_path: Path
) -> None:
    with mapped_scene() as (_, sfm_map):
        photos = home / "photos"
        for image in sfm_map.model.images:
            (photos / image.name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(photos / image.name)
        report = {
            **sfm_map.report,
            "images_folder": str(photos),
            "from_colmap": {"database": str(home / "colmap.db")},
        }
        replace(sfm_map, report=report).save(home / "maps" / "town")
        stored = read_json(home / "maps" / "town" / "report.json")
        assert stored["images_folder"] == "../../photos"
        assert stored["from_colmap"] == {"database": "../../colmap.db"}
        opened = Map.open(home / "maps" / "town", trust=True)
        assert opened.photos is not None and opened.photos.root == photos
        assert opened.report["images_folder"] == str(photos)
        compress_map(opened, tmp_path / "small")
    assert "alice" not in (tmp_path / "small" / "map.json").read_text()
