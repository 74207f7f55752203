"""COLMAP's database: old and new schemas, pairs in both orders, hostile and real files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.database import ColmapDatabase, read_database_images
from hloc_lite.formats.colmap.database_values import KINDS, DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.geometry.cameras import CAMERA_MODELS, camera_from_focal
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3

DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "no-field-data")) / "aachen"
CAMERA = Camera("SIMPLE_RADIAL", 64, 48, np.array([50.0, 32, 24, 0.1]))
OLD_SCHEMA = """
CREATE TABLE cameras (camera_id INTEGER PRIMARY KEY, model INTEGER, width INTEGER,
    height INTEGER, params BLOB, prior_focal_length INTEGER);
CREATE TABLE images (image_id INTEGER PRIMARY KEY, name TEXT, camera_id INTEGER, prior_qw REAL,
    prior_qx REAL, prior_qy REAL, prior_qz REAL, prior_tx REAL, prior_ty REAL, prior_tz REAL);
CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);
CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);
CREATE TABLE matches (pair_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);
CREATE TABLE two_view_geometries (pair_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER,
    data BLOB, config INTEGER, F BLOB, E BLOB, H BLOB);
"""
PAIR_ID = 1 * 2147483647 + 5


def doubles(*values: float) -> bytes:
    return np.array(values, "<f8").tobytes()


def old_database(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> Path:
    """Database of COLMAP 3.4 with two images, changed by statements."""
    path.unlink(missing_ok=True)
    keypoints = np.array([[1.5, 2.5, 2, 0.5], [3, 4, 1, 0], [5, 6, 1, 0]], "<f4")
    indices = np.array([[0, 2], [1, 0]], "<u4").tobytes()
    camera = doubles(50, 32, 24, 0.1)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SCHEMA)
        for statement, values in [
            ("INSERT INTO cameras VALUES (3, 2, 64, 48, ?, 1)", (camera,)),
            ("INSERT INTO images (image_id, name, camera_id) VALUES (1, 'db/b ä.jpg', 3)", ()),
            ("INSERT INTO images (image_id, name, camera_id) VALUES (5, './a.jpg', 3)", ()),
            ("INSERT INTO keypoints VALUES (1, 3, 4, ?)", (keypoints.tobytes(),)),
            ("INSERT INTO keypoints VALUES (5, 3, 2, ?)", (keypoints[:, :2].tobytes(),)),
            ("INSERT INTO descriptors VALUES (1, 3, 2, ?)", (bytes(range(6)),)),
            ("INSERT INTO matches VALUES (?, 2, 2, ?)", (PAIR_ID, indices)),
            ("INSERT INTO two_view_geometries VALUES (?, 2, 2, ?, 3, ?, NULL, ?)",
             (PAIR_ID, indices, doubles(*range(9)), doubles(1, 0, 0, 0, 2, 0, 0, 0, 4))),
            *statements,
        ]:  # fmt: skip
            connection.execute(statement, values)
        connection.commit()
    return path


def test_old_databases_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "odd #?%41 ü"
    folder.mkdir()
    with ColmapDatabase(old_database(folder / "my?db#1.db")) as database:
        images = database.images
        assert images.image_ids == {"db/b ä.jpg": 1, "a.jpg": 5}
        assert images.camera_ids == {"db/b ä.jpg": 3, "a.jpg": 3}
        camera = images.cameras["a.jpg"]
        assert (camera.model, camera.width, camera.height) == ("SIMPLE_RADIAL", 64, 48)
        assert camera.has_prior_focal
        np.testing.assert_array_equal(camera.params, [50, 32, 24, 0.1])
        keypoints = database.keypoints("db/b ä.jpg")
        np.testing.assert_array_equal(keypoints.keypoints, [[1.5, 2.5], [3, 4], [5, 6]])
        np.testing.assert_array_equal(keypoints.scales, [2, 1, 1])
        np.testing.assert_array_equal(keypoints.orientations_rad, [0.5, 0, 0])
        assert database.keypoints("a.jpg").scales is None
        np.testing.assert_array_equal(database.descriptors("db/b ä.jpg"), [[0, 1], [2, 3], [4, 5]])
        assert database.descriptors("a.jpg") is None
        assert database.matched_pairs() == database.verified_pairs() == (("db/b ä.jpg", "a.jpg"),)
        assert database.frames() == () and database.position_priors() == {}
        np.testing.assert_array_equal(database.matches("db/b ä.jpg", "a.jpg"), [[0, 2], [1, 0]])
        np.testing.assert_array_equal(database.matches("a.jpg", "db/b ä.jpg"), [[2, 0], [0, 1]])
        found = database.two_view("db/b ä.jpg", "a.jpg")
        turned = database.two_view("a.jpg", "db/b ä.jpg")
        assert found.kind == turned.kind == "UNCALIBRATED"
        assert found.essential is None and found.cam1_from_cam0 is None
        np.testing.assert_array_equal(found.fundamental, np.arange(9).reshape(3, 3))
        np.testing.assert_array_equal(turned.fundamental, np.arange(9).reshape(3, 3).T)
        np.testing.assert_array_equal(found.homography, np.diag([1, 2, 4]))
        np.testing.assert_array_equal(turned.homography, np.diag([1, 0.5, 0.25]))
        np.testing.assert_array_equal(turned.inliers, [[2, 0], [0, 1]])
        with pytest.raises(FormatError, match="has no image 'c'"):
            database.matches("a.jpg", "c")
    assert len(list(folder.iterdir())) == 1  # nothing is written beside it


def test_affine_keypoints_have_scale_and_orientation(tmp_path: Path) -> None:
    angle, scale = 0.3, 2.5
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    row = np.array([7, 8, cos, -sin, sin, cos], "<f4").tobytes()
    change = ("UPDATE keypoints SET rows = 1, cols = 6, data = ? WHERE image_id = 1", (row,))
    with ColmapDatabase(old_database(tmp_path / "d.db", change)) as database:
        found = database.keypoints("db/b ä.jpg")
    np.testing.assert_allclose(found.scales, [2.5], rtol=1e-6)
    np.testing.assert_allclose(found.orientations_rad, [0.3], rtol=1e-6)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE cameras SET model = 99", "unknown model number 99"),
        ("UPDATE cameras SET model = 'x'", "unknown model number 'x'"),
        ("UPDATE cameras SET params = x'00'", "1 x 4 values need 32 bytes, got 1"),
        ("UPDATE cameras SET params = 'text'", "got str"),
        ("UPDATE cameras SET width = -1", "expected a whole number from 1"),
        ("UPDATE cameras SET width = 1e300", "expected a whole number from 1"),
        ("UPDATE cameras SET width = 2000000000", "out of range"),
        ("UPDATE cameras SET prior_focal_length = 7", "from 0 to 1, got '7'"),
        (
            "UPDATE images SET camera_id = 4 WHERE image_id = 1",
            "has the camera 4, which is missing",
        ),
        ("UPDATE images SET name = '../x' WHERE image_id = 1", "no name inside the image folder"),
        ("UPDATE images SET name = NULL WHERE image_id = 1", "no name inside the image folder"),
        ("UPDATE images SET name = x'ff' WHERE image_id = 1", "no name inside the image folder"),
        ("UPDATE images SET name = CAST(x'ff' AS TEXT) WHERE image_id = 1", "damaged or no COLMAP"),
        ("UPDATE images SET name = 'a.jpg' WHERE image_id = 1", "'a.jpg' is listed twice"),
        ("UPDATE images SET image_id = 2147483647 WHERE image_id = 1", "expected a whole number"),
        ("UPDATE keypoints SET rows = 1152921504606846976", "expected a whole number"),
        ("UPDATE keypoints SET rows = 1000000", "bytes, got"),
        ("UPDATE keypoints SET cols = 3, rows = 4 WHERE image_id = 1", "2, 4 or 6 finite columns"),
        ("UPDATE keypoints SET data = NULL", "bytes, got 0"),
        (
            "UPDATE keypoints SET cols = 2, rows = 1, data = x'0000807f00000000'",
            "numbers of at most 1e",
        ),
        (
            "UPDATE keypoints SET cols = 2, rows = 1, data = x'0000807e00000000'",
            "numbers of at most 1e",
        ),
        ("UPDATE descriptors SET cols = 3", "need 9 bytes, got 6"),
        ("UPDATE matches SET cols = 4, rows = 1", "expected 2 columns"),
        ("UPDATE matches SET pair_id = 3", "images that are missing"),
        ("UPDATE matches SET pair_id = 2147483648 * 2", "images that are missing"),
        (
            "UPDATE keypoints SET rows = 2, data = substr(data, 1, 16) WHERE image_id = 5",
            "beyond the 2 keypoints",
        ),
        ("UPDATE two_view_geometries SET config = 10", "from 0 to 9"),
        ("UPDATE two_view_geometries SET F = x'00'", "3 x 3 values need 72 bytes"),
        ("DROP TABLE images", "no table 'images'"),
        ("ALTER TABLE images RENAME COLUMN camera_id TO other", "no column 'camera_id'"),
        ("CREATE TABLE pose_priors (image_id, position, coordinate_system)", None),
    ],
)
def test_bad_contents_are_named(statement: str, message: str | None, tmp_path: Path) -> None:
    path = old_database(tmp_path / "d.db", (statement, ()))
    if message is None:
        read_all(path)
    else:
        with pytest.raises(FormatError, match=message):
            read_all(path)


def read_all(path: Path) -> None:
    with ColmapDatabase(path) as database:
        for name in database.images.cameras:
            database.keypoints(name)
            database.descriptors(name)
        for pair in (*database.matched_pairs(), *database.verified_pairs()):
            database.matches(*pair)
            database.two_view(*pair[::-1])
        database.frames()
        database.position_priors()


@pytest.mark.parametrize(
    "replacement",
    [
        "CREATE VIEW images AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
        "SELECT n AS image_id, 'x' || n AS name, 3 AS camera_id FROM t",
        "CREATE TABLE images (image_id INTEGER, name AS (hex(zeroblob(image_id))), camera_id)",
        "CREATE VIRTUAL TABLE images USING fts5(image_id, name, camera_id)",
    ],
)
def test_computed_tables_are_refused(replacement: str, tmp_path: Path) -> None:
    try:
        path = old_database(tmp_path / "d.db", ("DROP TABLE images", ()), (replacement, ()))
    except sqlite3.OperationalError:
        pytest.skip("this SQLite cannot make such a table")
    with pytest.raises(FormatError, match=r"to be a plain table|computed columns"):
        ColmapDatabase(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    with pytest.raises(FormatError, match="cannot read"):
        ColmapDatabase(path)
    for content in (b"", b"text", b"SQLite format 3\0" + bytes(500)):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"no SQLite database|damaged or no COLMAP"):
            ColmapDatabase(path)
    for ending in ("-wal", "-journal"):
        beside = tmp_path / f"d.db{ending}"
        old_database(path)
        beside.write_bytes(b"x")
        with pytest.raises(FormatError, match=r"changes in d.db-(wal|journal) that are not yet"):
            ColmapDatabase(path)
        beside.write_bytes(b"")
        read_all(path)


def test_damaged_files_give_a_value_or_a_format_error(tmp_path: Path) -> None:
    content = old_database(tmp_path / "good.db").read_bytes()
    rng, path, num_refused = np.random.default_rng(0), tmp_path / "bad.db", 0
    used = np.flatnonzero(np.frombuffer(content, np.uint8))  # most of the pages is empty
    for number in range(400):
        copy = bytearray(content)
        for position in rng.choice(used, rng.integers(1, 6)):
            copy[position] = rng.integers(256)
        path.write_bytes(copy[: rng.integers(len(copy))] if number % 5 == 0 else copy)
        try:
            read_all(path)
        except FormatError:
            num_refused += 1
    assert num_refused > 100


names = st.lists(
    st.text(
        st.characters(exclude_characters="/\\\0:", exclude_categories=["Cs"]),
        min_size=1, max_size=9,
    ).filter(lambda part: part not in (".", "..")),
    min_size=1, max_size=3,
).map("/".join)  # fmt: skip
cameras = st.builds(
    lambda model, focal, prior: camera_from_focal(model, 640, 480, focal, has_prior_focal=prior),
    st.sampled_from([name for name in CAMERA_MODELS if name != "EQUIRECTANGULAR"]),
    st.sampled_from([400.0, 512.25]),
    st.booleans(),
)


@settings(max_examples=30)
@given(st.dictionaries(names, cameras, min_size=2, max_size=5), st.integers(0, 2**32 - 1))
def test_databases_round_trip(by_name: dict[str, Camera], seed: int) -> None:
    rng, images = np.random.default_rng(seed), number_images(by_name)
    keypoints = {name: rng.random((9, 2), np.float32) for name in by_name}
    pair = tuple(rng.permutation(list(by_name), axis=0)[:2].tolist())
    matches = rng.integers(0, 9, (4, 2)).astype(np.int32)
    pose = Rigid3(exp_so3(rng.standard_normal(3)), rng.standard_normal(3))
    two_view = DatabaseTwoView(
        inliers=matches[:2], kind=KINDS[seed % len(KINDS)],
        fundamental=rng.standard_normal((3, 3)), essential=rng.standard_normal((3, 3)),
        homography=np.diag([1.0, 2, 4]), cam1_from_cam0=pose,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.db"
        write_database(
            path, images, keypoints, matches=[(pair, matches)], two_views=[(pair, two_view)]
        )
        assert len(os.listdir(folder)) == 1
        with ColmapDatabase(path) as database:
            assert list(database.images.cameras) == list(by_name)
            assert database.images.camera_ids == images.camera_ids
            for name, camera in by_name.items():
                found = database.images.cameras[name]
                assert (found.model, found.has_prior_focal) == (
                    camera.model,
                    camera.has_prior_focal,
                )
                np.testing.assert_array_equal(found.params, camera.params)
                np.testing.assert_array_equal(database.keypoints(name).keypoints, keypoints[name])
            np.testing.assert_array_equal(database.matches(*pair), matches)
            same = database.two_view(*pair)
            assert sorted(database.frames()) == sorted((name,) for name in by_name)
    assert same.kind == two_view.kind
    np.testing.assert_array_equal(same.inliers, two_view.inliers)
    for field in ("fundamental", "essential", "homography"):
        np.testing.assert_array_equal(getattr(same, field), getattr(two_view, field))
    np.testing.assert_allclose(same.cam1_from_cam0.matrix, pose.matrix, atol=1e-12)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    images, points = number_images({"a": CAMERA, "b": CAMERA}), np.zeros((2, 2), np.float32)
    assert set(images.camera_ids.values()) == {1}
    one, keypoints = np.array([[0, 1]], np.int32), {"a": points, "b": points}
    for changes, message in [
        ({"matches": [(("a", "c"), one)]}, "'c' is none of the images"),
        ({"matches": [(("a", "a"), one)]}, "cannot be matched with itself"),
        ({"matches": [(("a", "b"), one + 1)]}, "is beyond"),
        ({"matches": [(("a", "b"), one), (("b", "a"), one)]}, "is given twice"),
        ({"two_views": [(("a", "b"), DatabaseTwoView(inliers=one, kind="X"))]}, "configuration"),
    ]:
        with pytest.raises(FormatError, match=message):
            write_database(tmp_path / "d.db", images, keypoints, **changes)
    with pytest.raises(FormatError, match="no name inside"):
        write_database(tmp_path / "d.db", number_images({"../a": CAMERA}), {})
    with pytest.raises(FormatError, match="expected finite"):
        write_database(tmp_path / "d.db", images, {"a": points * np.nan})
    assert list(tmp_path.iterdir()) == []


def test_colmap_reads_what_is_written(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    pose = Rigid3(exp_so3([0.1, 0.2, 0.3]), np.array([1.0, 2, 3]))
    inliers = np.array([[0, 1], [2, 0]], np.int32)
    two_view = DatabaseTwoView(
        inliers=inliers, kind="CALIBRATED", fundamental=np.arange(9.0).reshape(3, 3),
        homography=np.diag([1.0, 2, 4]), cam1_from_cam0=pose,
    )  # fmt: skip
    points = np.arange(6, dtype=np.float32).reshape(3, 2)
    images = number_images({"ä b.jpg": CAMERA, "a.jpg": CAMERA})
    pair = ("a.jpg", "ä b.jpg")  # COLMAP stores it in reversed order
    write_database(
        tmp_path / "d.db", images, {"ä b.jpg": points, "a.jpg": points},
        matches=[(pair, inliers)], two_views=[(pair, two_view)],
    )  # fmt: skip
    shutil.copy(tmp_path / "d.db", tmp_path / "copy.db")
    with closing(pycolmap.Database.open(str(tmp_path / "copy.db"))) as database:
        assert {image.name for image in database.read_all_images()} == set(images.cameras)
        assert database.num_frames() == 2 and database.num_rigs() == 1
        np.testing.assert_array_equal(database.read_camera(1).params, CAMERA.params)
        np.testing.assert_array_equal(database.read_matches(2, 1), inliers)
        native = database.read_two_view_geometry(2, 1)
        assert native.config == pycolmap.TwoViewGeometryConfiguration.CALIBRATED
        np.testing.assert_array_equal(native.inlier_matches, inliers)
        np.testing.assert_array_equal(native.F, two_view.fundamental)
        np.testing.assert_allclose(native.H, two_view.homography)
        np.testing.assert_allclose(native.cam2_from_cam1.matrix(), pose.matrix[:3], atol=1e-12)
        np.testing.assert_array_equal(database.read_keypoints(2)[:, :2], points)
    read_all(tmp_path / "copy.db")  # as COLMAP has changed it


def test_new_databases_of_colmap_are_read(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    path, points = tmp_path / "d.db", np.arange(6, dtype=np.float32).reshape(3, 2)
    with closing(pycolmap.Database.open(str(path))) as database:
        camera = pycolmap.Camera(
            camera_id=4, model="SIMPLE_RADIAL", width=64, height=48, params=CAMERA.params,
            has_prior_focal_length=True,
        )  # fmt: skip
        database.write_camera(camera, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(camera.sensor_id)
        database.write_rig(rig, use_rig_id=True)
        for image_id, name in ((2, "x/b.jpg"), (7, "x/a.jpg")):
            image = pycolmap.Image(
                name=name, keypoints=np.zeros((0, 2)), camera_id=4, image_id=image_id
            )
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame(frame_id=image_id, rig_id=1)
            frame.add_data_id(image.data_id)
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(image_id, points)
        geometry = pycolmap.TwoViewGeometry()
        geometry.config = pycolmap.TwoViewGeometryConfiguration.PLANAR
        geometry.inlier_matches = np.array([[0, 1]], np.uint32)
        geometry.H = np.diag([1.0, 2, 4])
        database.write_two_view_geometry(7, 2, geometry)
        if hasattr(pycolmap, "FeatureExtractorType"):
            kind = pycolmap.FeatureExtractorType.ALIKED_N16ROT
            values = np.arange(12, dtype=np.float32).reshape(3, 4)
            stored = pycolmap.FeatureDescriptors(type=kind, data=values.view(np.uint8))
            database.write_descriptors(2, stored)
            prior = pycolmap.PosePrior()
            prior.position, prior.corr_data_id = [47.0, 8, 400], image.data_id
            prior.coordinate_system = pycolmap.PosePriorCoordinateSystem.WGS84
            database.write_pose_prior(prior)
    with ColmapDatabase(path) as found:
        assert found.images.image_ids == {"x/b.jpg": 2, "x/a.jpg": 7}
        assert found.frames() == (("x/b.jpg",), ("x/a.jpg",))
        np.testing.assert_array_equal(found.keypoints("x/a.jpg").keypoints, points)
        two_view = found.two_view("x/a.jpg", "x/b.jpg")
        assert two_view.kind == "PLANAR"
        np.testing.assert_array_equal(two_view.inliers, [[0, 1]])
        np.testing.assert_allclose(two_view.homography, np.diag([1.0, 2, 4]))
        if hasattr(pycolmap, "FeatureExtractorType"):
            np.testing.assert_array_equal(found.descriptors("x/b.jpg"), values)
            (name,), (position,) = found.position_priors(), found.position_priors().values()
            assert (name, position.system) == ("x/a.jpg", "WGS84")
            np.testing.assert_array_equal(position.position, [47, 8, 400])


@pytest.mark.skipif(not DATA.is_dir(), reason="the databases of Aachen are absent")
def test_databases_of_aachen_are_read() -> None:
    counts = {}
    for name in ("database.db", "database_v1_1.db"):
        images = read_database_images(DATA / name)
        parts = (each.split("/") for each in images.cameras)
        counts[name] = Counter("/".join(p[: 1 + (p[0] == "query")]) for p in parts)
    assert counts["database.db"] == {"db": 4479, "query/day": 824, "query/night": 98}
    assert counts["database_v1_1.db"] == {"db": 4328, "sequences": 2369, "query/night": 191}
    camera = images.cameras["query/night/nexus5x/IMG_20161227_172439.jpg"]
    assert (camera.model, camera.width, camera.height) == ("SIMPLE_RADIAL", 1600, 1200)
    np.testing.assert_allclose(camera.params, [1199.91, 800, 600, -0.0324314], rtol=1e-5)
