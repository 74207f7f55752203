"""Landmark descriptors in a map folder: written with the map, read when first indexed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import fingerprint, load_config
from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.folder import LANDMARK_DESCRIPTORS
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of, mean_descriptors
from hloc_lite.maps.stored_descriptors import write_landmark_descriptors
from hloc_lite.maps.summary import summarize_map
from hloc_lite.types import Status
from tests.exact_scene import NoWeights


@pytest.fixture
def folder(exact_map, tmp_path: Path) -> Path:
    exact_map[1].save(tmp_path / "map")
    return tmp_path / "map"


def remove_descriptors(folder: Path) -> None:
    """Turn a map into one of a version that did not store landmark descriptors."""
    header = read_json(folder / "map.json")
    plain = {k: v for k, v in header.items() if k not in ("landmark_descriptors", "checksum")}
    write_json_atomic(folder / "map.json", {**plain, "checksum": fingerprint(plain)})
    (folder / LANDMARK_DESCRIPTORS).unlink()


def make_localizer(sfm_map: Map, matching: str) -> Localizer:
    config = load_config(base=sfm_map.config, settings=[f"localize.matching={matching}"])
    return Localizer(sfm_map, config, weights=NoWeights())


def test_stored_descriptors_are_the_means_in_half_precision(exact_map, folder: Path) -> None:
    stored = Map.open(folder).landmark_descriptors
    all_points = np.arange(exact_map[1].model.num_points)
    expected, _ = mean_descriptors(exact_map[1]).rows_of(all_points)
    rows, owners = stored.rows_of(all_points)
    assert np.array_equal(owners, all_points) and stored.values[:1].dtype == np.float16
    assert np.abs(rows - expected).max() < 2**-11
    assert (rows * expected).sum(axis=1).min() > 1 - 1e-6


def test_saving_again_keeps_them(folder: Path, tmp_path: Path) -> None:
    Map.open(folder).save(tmp_path / "copy")
    Map.open(folder).save(folder)
    first, again = (np.load(each / LANDMARK_DESCRIPTORS) for each in (folder, tmp_path / "copy"))
    assert np.abs(first.astype(np.float32) - again).max() <= 2**-11
    assert np.array_equal(np.load(folder / LANDMARK_DESCRIPTORS), again)


def test_damage_is_found_by_the_first_access(exact_map, folder: Path) -> None:
    scene, _ = exact_map
    data = bytearray((folder / LANDMARK_DESCRIPTORS).read_bytes())
    data[-9] ^= 4
    (folder / LANDMARK_DESCRIPTORS).write_bytes(data)
    sfm_map = Map.open(folder)
    result = make_localizer(sfm_map, "images").localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    for access in (
        lambda: make_localizer(sfm_map, "landmarks").localize(scene.image(3), scene.camera),
        lambda: compress_map(sfm_map, folder.parent / "compact"),
        lambda: summarize_map(folder),
    ):
        with pytest.raises(FormatError, match=rf"{LANDMARK_DESCRIPTORS} is damaged.*--overwrite"):
            access()


def test_truncated_file_is_refused_when_the_map_is_opened(folder: Path) -> None:
    data = (folder / LANDMARK_DESCRIPTORS).read_bytes()
    (folder / LANDMARK_DESCRIPTORS).write_bytes(data[:-1000])
    with pytest.raises(FormatError, match=rf"{LANDMARK_DESCRIPTORS} has .* bytes.*--overwrite"):
        Map.open(folder)


def test_maps_without_descriptors_compute_them(exact_map, folder: Path, tmp_path: Path) -> None:
    scene, built = exact_map
    remove_descriptors(folder)
    opened = Map.open(folder)
    assert opened.landmark_descriptors is None
    expected, _ = mean_descriptors(built).rows_of(np.arange(9))
    assert np.array_equal(landmark_descriptors_of(opened).rows_of(np.arange(9))[0], expected)
    result = make_localizer(opened, "landmarks").localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    compress_map(opened, tmp_path / "compact")
    opened.save(folder)
    assert Map.open(folder).landmark_descriptors is not None


def test_folder_without_descriptors_is_still_known_as_a_map(exact_map, folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    (folder / "map.json").write_text("damaged")
    (folder / LANDMARK_DESCRIPTORS).unlink()
    exact_map[1].save(folder)
    assert {path.name for path in folder.iterdir()} == names


def test_poses_are_the_same_with_stored_and_computed_ones(exact_map, folder: Path) -> None:
    scene, built = exact_map
    maps = (Map.open(folder), replace(built, landmark_descriptors=None))
    for index in (3, 5, 7):
        first, second = (
            make_localizer(each, "landmarks").localize(scene.image(index), scene.camera)
            for each in maps
        )
        assert first.counts == second.counts
        centers = [result.pose.cam_from_world.center for result in (first, second)]
        assert np.allclose(*centers, atol=1e-9)


def test_several_descriptors_per_landmark_cannot_be_stored(tmp_path: Path) -> None:
    two = LandmarkDescriptors(np.ones((2, 4)), np.array([0, 2]))
    with pytest.raises(ShapeError, match="exactly one descriptor per landmark"):
        write_landmark_descriptors(tmp_path, two)
