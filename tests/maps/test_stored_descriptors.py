"""Landmark descriptors in a full map's folder: written with it, read when a query first asks."""

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
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of, mean_descriptors
from hloc_lite.maps.quantization import Coding
from hloc_lite.maps.stored_descriptors import write_descriptors
from hloc_lite.maps.summary import summarize_map
from hloc_lite.types import Status
from tests.exact_scene import NoWeights, mapped_scene

FILE = "landmark_descriptors.npy"


@pytest.fixture(scope="module")
def built():
    with mapped_scene() as (scene, place):
        yield scene, place


@pytest.fixture
def folder(built, tmp_path: Path) -> Path:
    built[1].save(tmp_path / "map")
    return tmp_path / "map"


def damage(path: Path) -> None:
    """Other bytes, as many."""
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)


def as_of_before(folder: Path) -> None:
    """Make a map what earlier versions wrote."""
    header = read_json(folder / "map.json")
    plain = {k: v for k, v in header.items() if k not in ("landmark_descriptors", "checksum")}
    write_json_atomic(folder / "map.json", {**plain, "checksum": fingerprint(plain)})
    (folder / FILE).unlink()


def localizer(place: Map, matching: str) -> Localizer:
    config = load_config(base=place.config, settings=[f"localize.matching={matching}"])
    return Localizer(place, config, weights=NoWeights())


def test_they_are_the_means_in_half_precision(built, folder: Path) -> None:
    found = Map.open(folder).landmark_descriptors
    everything = np.arange(built[1].model.num_points)
    expected, _ = mean_descriptors(built[1]).of(everything)
    rows, owners = found.of(everything)
    assert np.array_equal(owners, everything) and found.values[:1].dtype == np.float16
    assert np.abs(rows - expected).max() < 2**-11
    assert (rows * expected).sum(axis=1).min() > 1 - 1e-6


def test_saving_again_changes_nothing(folder: Path, tmp_path: Path) -> None:
    Map.open(folder).save(tmp_path / "copy")
    Map.open(folder).save(folder)
    first, again = (np.load(each / FILE) for each in (folder, tmp_path / "copy"))
    assert np.abs(first.astype(np.float32) - again).max() <= 2**-11
    assert np.array_equal(np.load(folder / FILE), again)


def test_a_map_in_memory_has_them_in_memory(built) -> None:
    values = built[1].landmark_descriptors.values
    assert type(values) is np.ndarray and values.dtype == np.float16


def test_nothing_is_read_that_is_not_asked_for(built, folder: Path) -> None:
    scene, _ = built
    damage(folder / FILE)
    place = Map.open(folder)
    result = localizer(place, "images").localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    for ask in (
        lambda: localizer(place, "landmarks").localize(scene.image(3), scene.camera),
        lambda: compress_map(place, folder.parent / "compact"),
        lambda: summarize_map(folder),
    ):
        with pytest.raises(FormatError, match=rf"{FILE} is damaged.*again with --overwrite"):
            ask()


def test_one_cut_short_is_refused_at_once(folder: Path) -> None:
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data[:-1000])
    with pytest.raises(FormatError, match=rf"{FILE} has .* bytes.*again with --overwrite"):
        Map.open(folder)


def test_maps_of_before_make_them_as_ever(built, folder: Path, tmp_path: Path) -> None:
    scene, built_map = built
    as_of_before(folder)
    place = Map.open(folder)
    assert place.landmark_descriptors is None
    expected, _ = mean_descriptors(built_map).of(np.arange(9))
    assert np.array_equal(landmark_descriptors_of(place).of(np.arange(9))[0], expected)
    result = localizer(place, "landmarks").localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    compress_map(place, tmp_path / "compact")
    place.save(folder)
    assert Map.open(folder).landmark_descriptors is not None
    (folder / "map.json").write_text("damaged")
    as_before = {path.name for path in folder.iterdir()} - {FILE}
    (folder / FILE).unlink()
    built_map.save(folder)  # it is still known as a map
    assert {path.name for path in folder.iterdir()} == as_before | {FILE}


def test_poses_are_the_same_with_and_without_them(built, folder: Path) -> None:
    scene, built_map = built
    stored, made = Map.open(folder), replace(built_map, landmark_descriptors=None)
    for index in (3, 5, 7):
        found = [
            localizer(each, "landmarks").localize(scene.image(index), scene.camera)
            for each in (stored, made)
        ]
        first, second = (each.pose.cam_from_world for each in found)
        assert found[0].counts == found[1].counts
        assert np.allclose(first.center, second.center, atol=1e-9)


def test_compress_takes_them(built, folder: Path, tmp_path: Path) -> None:
    place = Map.open(folder)
    number = place.model.num_points
    rng = np.random.default_rng(0)
    other = LandmarkDescriptors(rng.standard_normal((number, 32)), np.arange(number + 1))
    marked = replace(place, landmark_descriptors=other)
    compress_map(marked, tmp_path / "compact", coding=Coding.FLOAT16)
    rows, owners = Map.open(tmp_path / "compact").landmark_descriptors.of(np.arange(9))
    assert np.allclose(rows, other.of(owners)[0], atol=1e-3)


def test_their_bytes_are_told(folder: Path) -> None:
    content = summarize_map(folder)
    assert content.bytes_of[FILE] == (folder / FILE).stat().st_size
    assert content.bytes_of[FILE] >= 2 * content.num_landmarks * content.descriptor_dim


def test_those_of_other_points_are_refused(built) -> None:
    _, place = built
    fewer = LandmarkDescriptors(np.ones((3, 32)), np.arange(4))
    with pytest.raises(FormatError, match="descriptors of 3"):
        replace(place, landmark_descriptors=fewer)


def test_a_map_keeps_one_of_each(tmp_path: Path) -> None:
    twice = LandmarkDescriptors(np.ones((2, 4)), np.array([0, 2]))
    with pytest.raises(ShapeError, match="one descriptor of each"):
        write_descriptors(tmp_path, twice)
