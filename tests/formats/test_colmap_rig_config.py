"""``rig_config.json`` and the rigs of databases, as COLMAP writes and reads them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.rig_config import (
    ConfigCamera,
    frames_of_names,
    read_rig_config,
    write_rig_config,
)
from hloc_lite.formats.colmap.rigs import ColmapFrame, ColmapRigs
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 64, 48, np.array([50.0, 51, 32, 24]))
MOUNTED = Rigid3(Rotation.from_euler("y", 0.3).as_matrix(), np.array([-0.5, 0.25, 0]))
NAMES = ("rig1/a/1.jpg", "rig1/a/2.jpg", "rig1/b/1.jpg", "rig1/b/2.jpg", "other.jpg")
CONFIG = (
    ConfigCamera(image_prefix="rig1/a/", is_reference=True, cam_from_rig=Rigid3.identity()),
    ConfigCamera(
        image_prefix="rig1/b/", cam_from_rig=MOUNTED, model="PINHOLE", params=CAMERA.params
    ),
)


@settings(max_examples=40,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/."),
                     min_size=1), min_size=1, max_size=4, unique=True),
    st.integers(0, 2**32), st.booleans(),
)  # fmt: skip
def test_configs_round_trip(tmp_path: Path, words: list[str], seed: int, known: bool) -> None:
    rng = np.random.default_rng(seed)
    rig = [ConfigCamera(image_prefix=f"{words[0]}/", is_reference=True, cam_from_rig=None)]
    for word in words[1:]:
        pose = Rigid3(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3))
        rig.append(
            ConfigCamera(
                image_prefix=f"x/{word}/", cam_from_rig=pose if known else None, model="PINHOLE",
                params=rng.uniform(1, 900, 4),
            )
        )  # fmt: skip
    path = tmp_path / "rig_config.json"
    write_rig_config(path, [tuple(rig)])
    (found,) = read_rig_config(path)
    assert [each.image_prefix for each in found] == [each.image_prefix for each in rig]
    assert np.array_equal(found[0].cam_from_rig.matrix, np.eye(4))
    for given_camera, camera in zip(rig[1:], found[1:], strict=True):
        assert (camera.model, camera.is_reference) == ("PINHOLE", False)
        assert np.array_equal(camera.params, given_camera.params)
        assert (camera.cam_from_rig is None) == (not known)
        if known:
            np.testing.assert_allclose(
                camera.cam_from_rig.matrix, given_camera.cam_from_rig.matrix, atol=1e-14
            )


def test_colmap_reads_what_is_written(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    write_rig_config(tmp_path / "c.json", [CONFIG])
    (rig,) = pycolmap.read_rig_config(tmp_path / "c.json")
    first, second = rig.cameras
    assert (first.ref_sensor, first.image_prefix) == (True, "rig1/a/")
    assert (second.ref_sensor, second.image_prefix) == (False, "rig1/b/")
    np.testing.assert_allclose(second.cam_from_rig.matrix(), MOUNTED.matrix[:3], atol=1e-14)
    np.testing.assert_array_equal(second.camera.params, CAMERA.params)


def test_frames_are_those_of_colmaps_configurator(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    images = number_images(dict.fromkeys(NAMES, CAMERA))
    ids = {name: number for name, number in zip(NAMES, (1, 1, 2, 2, 3), strict=True)}
    numbered = type(images)(cameras=images.cameras, image_ids=images.image_ids, camera_ids=ids)
    write_database(tmp_path / "d.db", numbered, {})
    write_rig_config(tmp_path / "c.json", [CONFIG])
    with closing(pycolmap.Database.open(str(tmp_path / "d.db"))) as database:
        pycolmap.apply_rig_config(pycolmap.read_rig_config(tmp_path / "c.json"), database)
    with ColmapDatabase(tmp_path / "d.db") as database:
        theirs = {frame for frame in database.frames() if len(frame) > 1}
        rigs, name_of = database.rigs(), database.names
    ours = {tuple(sorted(frame)) for frame in frames_of_names([CONFIG], NAMES)}
    assert ours == theirs == {("rig1/a/1.jpg", "rig1/b/1.jpg"), ("rig1/a/2.jpg", "rig1/b/2.jpg")}
    (mounted,) = (cameras for cameras in rigs.rigs.values() if len(cameras) == 2)
    assert list(mounted) == [1, 2]
    np.testing.assert_allclose(mounted[2].matrix, MOUNTED.matrix, atol=1e-14)
    frames = {tuple(name_of[i] for i in f.image_ids.values()) for f in rigs.frames.values()}
    assert {tuple(sorted(frame)) for frame in frames} == ours | {("other.jpg",)}
    assert all(frame.rig_from_world is None for frame in rigs.frames.values())


GOOD: dict[str, Any] = {
    "cameras": [
        {"image_prefix": "a/", "ref_sensor": True},
        {
            "image_prefix": "b/",
            "cam_from_rig_rotation": [1, 0, 0, 0],
            "cam_from_rig_translation": [1, 2, 3],
        },
    ]
}


def changed(camera: int, **values: Any) -> list[Any]:
    """The good config with other values of a camera; None removes a key."""
    config = json.loads(json.dumps(GOOD))
    both = {**config["cameras"][camera], **values}
    config["cameras"][camera] = {key: value for key, value in both.items() if value is not None}
    return [config]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "expected a list of rigs"),
        ([], "expected a list of rigs"),
        ([{"cameras": 3}], "expected a list of rigs"),
        ([{**GOOD, "ref_camera_id": 1}], "before COLMAP 3.12"),
        ([GOOD, GOOD], "the prefix 'a/' is given to two cameras"),
        (changed(0, ref_sensor=None), "expected one camera .* got 0"),
        (changed(1, ref_sensor=True), "the reference camera is the rig's frame"),
        (changed(0, ref_sensor="yes"), "expected true or false"),
        (changed(1, image_prefix=None), "camera 2: expected an .image_prefix"),
        (changed(1, image_prefix=""), "camera 2: expected an .image_prefix"),
        (changed(1, cam_from_rig_rotation=None), "need each other"),
        (changed(1, cam_from_rig_rotation=[1, 0, 0]), "expected 4 numbers"),
        (changed(1, cam_from_rig_rotation=[1, 1, 0, 0]), "not a unit quaternion"),
        (changed(1, cam_from_rig_translation=[1, "2", 3]), "expected 3 numbers"),
        (changed(1, cam_from_rig_translation=[1, 1e300, 3]), "expected 3 numbers"),
        (changed(1, cam_from_rig_translation=[1, True, 3]), "expected 3 numbers"),
        (changed(1, camera_model_name="SPIRAL", camera_params=[1]), "camera_model_name"),
        (changed(1, camera_model_name="PINHOLE", camera_params=[1]), "expected 4 numbers"),
        (changed(1, camera_params=[1]), "camera_model_name"),
    ],
)
def test_bad_configs_are_named(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "rig_config.json"
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError, match=message) as caught:
        read_rig_config(path)
    assert str(path) in str(caught.value)


def test_prefixes_that_begin_one_another_are_refused_for_photos_of_both() -> None:
    near = ConfigCamera(image_prefix="rig1/a", cam_from_rig=MOUNTED)
    with pytest.raises(FormatError, match="begins with the prefixes 'rig1/a/' and 'rig1/a'"):
        frames_of_names([(CONFIG[0], near)], NAMES)


def rigs_of_names() -> ColmapRigs:
    rigs = {1: {1: Rigid3.identity(), 2: MOUNTED, 4: None}, 3: {3: Rigid3.identity()}}
    frames = {
        1: ColmapFrame(1, None, {1: 1, 2: 3}),
        2: ColmapFrame(1, None, {1: 2, 2: 4}),
        7: ColmapFrame(3, None, {3: 5}),
    }
    return ColmapRigs(rigs=rigs, frames=frames)


def write_rigged(path: Path) -> None:
    images = number_images(dict.fromkeys(NAMES, CAMERA))
    ids = dict(zip(NAMES, (1, 1, 2, 2, 3), strict=True))
    named = type(images)(cameras=images.cameras, image_ids=images.image_ids, camera_ids=ids)
    write_database(path, named, {}, rigs=rigs_of_names())


def test_rigs_of_databases_round_trip_and_are_read_by_colmap(tmp_path: Path) -> None:
    write_rigged(tmp_path / "d.db")
    with ColmapDatabase(tmp_path / "d.db") as database:
        found = database.rigs()
    expected = rigs_of_names()
    assert {i: list(rig) for i, rig in found.rigs.items()} == {1: [1, 2, 4], 3: [3]}
    np.testing.assert_allclose(found.rigs[1][2].matrix, MOUNTED.matrix, atol=1e-14)
    assert found.rigs[1][4] is None
    for frame_id, frame in expected.frames.items():
        assert found.frames[frame_id].image_ids == frame.image_ids
    pycolmap = pytest.importorskip("pycolmap")
    shutil.copy(tmp_path / "d.db", tmp_path / "copy.db")
    with closing(pycolmap.Database.open(str(tmp_path / "copy.db"))) as native:
        rig = native.read_rig(1)
        pose = rig.sensor_from_rig(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, 2))
        np.testing.assert_allclose(pose.matrix(), MOUNTED.matrix[:3], atol=1e-14)
        assert rig.num_sensors() == 3 and native.num_frames() == 3
        assert {data.id for data in native.read_frame(2).data_ids} == {2, 4}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE rig_sensors SET sensor_from_rig = x'00'", "1 x 7 values need 56 bytes, got 1"),
        ("UPDATE rig_sensors SET sensor_from_rig = zeroblob(56)", "not a unit quaternion"),
        ("UPDATE rig_sensors SET sensor_id = 'x'", "expected a whole number"),
        ("UPDATE rig_sensors SET rig_id = 5", "rig 5, which is missing"),
        ("UPDATE rig_sensors SET sensor_id = 3 WHERE sensor_id = 2", "camera 3, which is on rig 1"),
        ("UPDATE frames SET rig_id = 9", "is of rig 9, which"),
        ("DELETE FROM frames WHERE frame_id = 7", "frame 7 is missing"),
        ("UPDATE frame_data SET sensor_id = 3 WHERE data_id = 1", "which is not on rig 1"),
        ("UPDATE images SET camera_id = 3 WHERE image_id = 3", "image 3 of camera 2, but"),
        ("UPDATE frame_data SET data_id = 2 WHERE data_id = 3", "which is in frame 1, too"),
        ("UPDATE frame_data SET data_id = -1 WHERE data_id = 3", "expected a whole number"),
        ("UPDATE frame_data SET data_id = 1 << 60 WHERE data_id = 3", "expected an id from 0"),
        ("UPDATE frame_data SET sensor_type = 1 WHERE sensor_id = 2", None),
        ("UPDATE rig_sensors SET sensor_type = 1 WHERE sensor_id = 4", None),
    ],
)
def test_rigs_of_databases_that_do_not_fit_are_named(tmp_path, statement, message) -> None:
    write_rigged(tmp_path / "d.db")
    with closing(sqlite3.connect(tmp_path / "d.db")) as connection:
        connection.execute(statement)
        connection.commit()
    with ColmapDatabase(tmp_path / "d.db") as database:
        if message is None:
            notes = database.rigs().notes
            assert all("no cameras: ignored" in note for note in notes)
        else:
            with pytest.raises(FormatError, match=message):
                database.rigs()
