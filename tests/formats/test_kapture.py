"""kapture: tables, poses of rigs, points; round trips, traps and damaged files."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture import (
    DevicePose,
    FeatureHeader,
    Kapture,
    Record,
    Sensor,
    gnss_positions,
    image_positions,
    posed_images,
    read_depth_map,
    read_kapture,
    read_observations,
    read_points3d,
    sensor_size,
    write_depth_map,
    write_features,
    write_kapture,
    write_tables,
)
from hloc_lite.formats.kapture.records import VALUE_COLUMNS
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.image_names import leads_out, normalize_name
from hloc_lite.io.number_range import MAX_NUMBER
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Rigid3

CAMERA = Camera("PINHOLE", 640, 480, np.array([500.0, 510, 320, 240]))
HEADER = "# kapture format: 1.1\n"
characters = st.characters(exclude_characters=",\n\r\0", exclude_categories=["Cs"])
texts = st.text(characters, min_size=1, max_size=12).filter(lambda text: text == text.strip())
ids = texts.filter(lambda text: not text.startswith(("#", "\ufeff")))
files = st.one_of(st.sampled_from(["a b/é 1.jpg", "x/#2.png"]), ids).filter(
    lambda name: not leads_out(name) and name == normalize_name(name) and name != "."
)
finite = st.floats(allow_nan=False, allow_infinity=False)
coordinates = st.floats(-MAX_NUMBER, MAX_NUMBER)
timestamps = st.integers(0, 10**17)
quaternions = st.tuples(*[st.floats(-3, 3)] * 3).map(lambda r: tuple(_quat(r).tolist()))
poses = st.builds(DevicePose, st.none() | quaternions, st.none() | st.tuples(*[coordinates] * 3))


def _quat(rotvec: tuple[float, ...]) -> np.ndarray:
    angle = np.linalg.norm(rotvec)
    return np.append(np.cos(angle / 2), np.sinc(angle / 2 / np.pi) / 2 * np.array(rotvec))


def tree(folder: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + text, encoding="utf-8")
    return folder


def value(kind: type) -> st.SearchStrategy:
    if kind is str:
        return st.just("") | texts
    return timestamps if kind is int else finite


@st.composite
def kaptures(draw: st.DrawFn) -> Kapture:
    cameras = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    others = draw(st.lists(ids.filter(lambda each: each not in cameras), max_size=3, unique=True))
    sensors = {each: Sensor.from_camera(CAMERA, draw(st.just("") | texts)) for each in cameras}
    kinds = ["gnss", "wifi", "pressure", *sorted(VALUE_COLUMNS)]
    sensors |= {each: Sensor("", draw(st.sampled_from(kinds))) for each in others}
    free = ids.filter(lambda each: each not in sensors)
    members = st.dictionaries(st.sampled_from(list(sensors)), poses, min_size=1, max_size=3)
    rigs = draw(st.dictionaries(free, members, max_size=2))
    devices = st.sampled_from([*sensors, *rigs])
    names = draw(st.lists(files, max_size=4, unique=True))
    images = tuple(
        Record(number, draw(st.sampled_from(cameras)), (name,)) for number, name in enumerate(names)
    )
    records = {"camera": images}
    for kind in draw(st.lists(st.sampled_from(sorted(VALUE_COLUMNS)), max_size=3, unique=True)):
        values = st.tuples(*(value(each) for each in VALUE_COLUMNS[kind].values()))
        record = st.builds(Record, timestamps, st.sampled_from(list(sensors)), values)
        records[kind] = tuple(draw(st.lists(record, max_size=3)))
    return Kapture(
        folder=Path("unused"),
        sensors=sensors,
        rigs=rigs,
        trajectories=draw(st.dictionaries(st.tuples(timestamps, devices), poses, max_size=4)),
        records=records,
    )


@settings(max_examples=40)
@given(kaptures())
def test_tables_round_trip_exactly(kapture: Kapture) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), kapture)
        found = read_kapture(Path(folder))
    assert found.sensors == kapture.sensors
    assert found.rigs == kapture.rigs
    assert found.trajectories == kapture.trajectories
    assert found.records == kapture.records
    partial = [pose for pose in kapture.trajectories.values() if not pose.is_complete]
    assert any("of trajectories.txt without" in note for note in found.notes) == bool(partial)


@st.composite
def scenes(draw: st.DrawFn) -> PosedImages:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = draw(st.lists(files, min_size=1, max_size=4, unique=True))
    posed = names[: draw(st.integers(0, len(names)))]
    cameras = {name: rng.choice(np.array([CAMERA, _other_camera()])) for name in names}
    rigid = {name: Rigid3(exp_so3(rng.normal(size=3)), rng.normal(size=3)) for name in posed}
    model = posed_model(cameras, rigid)
    num_points = int(rng.integers(0, 5)) if posed else 0
    images = []
    for image in model.images:
        points = np.full(int(rng.integers(0, 7)), NO_POINT)
        count = min(len(points), num_points)
        points[rng.permutation(len(points))[:count]] = rng.permutation(num_points)[:count]
        xy = rng.uniform(0, 480, (len(points), 2))
        images.append(SfmImage(image.image_id, image.name, image.camera_id,
                               image.cam_from_world, xy, points))  # fmt: skip
    model = SfmModel(
        model.cameras, tuple(images), np.arange(1, num_points + 1),
        rng.normal(size=(num_points, 3)), rng.integers(0, 256, (num_points, 3)).astype(np.uint8),
        np.full(num_points, np.nan),
    )  # fmt: skip
    return PosedImages(model=model, cameras=cameras)


def _other_camera() -> Camera:
    return Camera("SIMPLE_RADIAL", 800, 600, np.array([700.123456789, 400, 300, 0.01]))


@settings(max_examples=25)
@given(scenes(), st.booleans())
def test_scenes_round_trip(scene: PosedImages, as_tar: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_kapture(Path(folder), scene, keypoints_type="sift", as_tar=as_tar)
        found = posed_images(read_kapture(Path(folder)))
    assert set(found.cameras) == set(scene.cameras)
    for name, camera in scene.cameras.items():
        assert (found.cameras[name].model, found.cameras[name].width) == (
            camera.model,
            camera.width,
        )
        np.testing.assert_array_equal(found.cameras[name].params, camera.params)
    np.testing.assert_array_equal(found.model.xyz, scene.model.xyz)
    np.testing.assert_array_equal(found.model.rgb, scene.model.rgb)
    assert [each.name for each in found.model.images] == [each.name for each in scene.model.images]
    for got, image in zip(found.model.images, scene.model.images, strict=True):
        np.testing.assert_allclose(
            got.cam_from_world.matrix, image.cam_from_world.matrix, atol=1e-14
        )
        if scene.model.num_points:
            np.testing.assert_array_equal(got.keypoints, image.keypoints)
            np.testing.assert_array_equal(got.point3D_idxs, image.point3D_idxs)


SENSORS = (
    "# sensor_device_id, name, sensor_type, [sensor_params]+\n"
    "cam1 , Hero7, camera, PINHOLE, 640, 480, 500, 510, 320, 240\n"
    "  cam2,, camera,SIMPLE_PINHOLE,640,480,500,320,240\r\n"
    "old, , camera, UNKNOWN_CAMERA, 640, 480\nbare, , camera, UNKNOWN_CAMERA\n"
    "depth1, kinect, depth, SIMPLE_PINHOLE, 4, 3, 6, 2, 1.5\n"
    "gps, , gnss, EPSG:4326\nwifi, , wifi\n"
)


def test_rig_poses_are_expanded_to_cameras(tmp_path: Path) -> None:
    half = repr(0.5**0.5)
    tree(
        tmp_path,
        {
            "sensors/sensors.txt": SENSORS,
            # cam1 is rotated by 90 degrees about z: rig (x, y, z) is (-y, x, z) in the camera
            "sensors/rigs.txt": f"rig, cam1, {half}, 0, 0, {half}, 0, 0, 5\n"
            "rig, cam2, 1, 0, 0, 0, , , \ncar, rig, 1, 0, 0, 0, 10, 0, 0\n",
            "sensors/trajectories.txt": "0007, car, 1, 0, 0, 0, 0, 1, 0\n"
            "7, cam2, 1, 0, 0, 0, 3, 3, 3\n8, rig, , , , , 1, 2, 3\n9, old, 1, 0, 0, 0, 0, 0, 0\n",
            "sensors/records_camera.txt": "# c\n\n007, cam1, a/one.jpg\n7, cam2, ./b.jpg\n"
            "8, cam1, later.jpg\n9, old, c.jpg\n9, bare, d.jpg\n",
        },
    )
    kapture = read_kapture(tmp_path)
    found = posed_images(kapture)
    assert found.image_folder == tmp_path / "sensors" / "records_data"
    assert set(found.cameras) == {"a/one.jpg", "b.jpg", "later.jpg"}
    assert [image.name for image in found.model.images] == ["a/one.jpg", "b.jpg"]
    one, two = (image.cam_from_world for image in found.model.images)
    # world origin: (0, 1, 0) in the car, (10, 1, 0) in the rig, (-1, 10, 5) in the camera
    np.testing.assert_allclose(one.apply(np.zeros(3)), [-1, 10, 5], atol=1e-14)
    np.testing.assert_allclose(one.apply(np.array([1.0, 0, 0])), [-1, 11, 5], atol=1e-14)
    np.testing.assert_array_equal(two.translation, [3, 3, 3])
    notes = "\n".join(found.notes)
    assert "1 pose of trajectories.txt without" in notes
    assert "1 pose of rigs.txt without" in notes
    assert "1 image with a pose, but without intrinsics" in notes
    assert kapture.trajectories[8, "rig"] == DevicePose(None, (1, 2, 3))
    assert sensor_size(kapture.sensors["old"]) == (640, 480)
    assert sensor_size(kapture.sensors["bare"]) is None


def test_only_sensors_are_required(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"sensors\.txt does not exist"):
        read_kapture(tmp_path)
    found = posed_images(read_kapture(tree(tmp_path, {"sensors/sensors.txt": SENSORS})))
    assert not found.cameras and not found.model.images and not found.notes
    (tmp_path / "sensors" / "sensors.txt").write_text("# kapture format: 2.0\n")
    with pytest.raises(FormatError, match=r"expected kapture format 1\.1, got 2\.0"):
        read_kapture(tmp_path)
    (tmp_path / "sensors" / "sensors.txt").write_text("wifi, , wifi\n")
    assert "1.1 is assumed" in read_kapture(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("sensors", "cam, x\n", "line 2: expected 'sensor_device_id.*got 2 values"),
        ("sensors", "a, , camera, PINHOLE, 6, 4, 5, 5, 3\n", "needs the parameters 'w, h, fx, fy"),
        ("sensors", "a, , camera, PINHOLES, 6, 4\n", "'PINHOLES' is no camera model"),
        ("sensors", "a, , camera, SIMPLE_PINHOLE, 6, 4, inf, 3, 2\n", "f must be a finite"),
        ("sensors", "a, , camera, SIMPLE_PINHOLE, 6, 1e999, 5, 3, 2\n", "h must be a finite"),
        ("sensors", "a, , camera, SIMPLE_PINHOLE, 64, 48, 0.05, 3, 2\n", "focal length"),
        ("sensors", "a, , wifi\na, , wifi\n", "line 3: sensor 'a' is listed twice"),
        ("rigs", "r, cam1, 1, 0, 0, 0, 0, 0\n", "line 2: expected .*got 8 values"),
        ("rigs", "r, nobody, 1, 0, 0, 0, 0, 0, 0\n", "'nobody' is not listed in sensors"),
        ("rigs", "cam1, cam2, 1, 0, 0, 0, 0, 0, 0\n", "an id that no sensor has"),
        ("rigs", "r, s, 1, 0, 0, 0, 0, 0, 0\ns, r, 1, 0, 0, 0, 0, 0, 0\n", "carry each other"),
        ("rigs", "r, cam1, 1, 0, 0, 0, 0, 0, 0\nr, cam1, 1, 0, 0, 0, 0, 0, 0\n", "listed twice"),
        ("trajectories", "1, cam1, 0, 0, 0, 0, 0, 0, 0\n", "line 2: a quaternion needs"),
        ("trajectories", "1, cam1, 1, 2, 3, 1, 0, 0, 0\n", "not a unit quaternion"),
        ("trajectories", "1, cam1, 1, 0, , 0, 0, 0, 0\n", "each value of a quaternion must be"),
        ("trajectories", "1, cam1, 1, 0, 0, 0, nan, 0, 0\n", "each value of a translation"),
        ("trajectories", "1.5, cam1, 1, 0, 0, 0, 0, 0, 0\n", "timestamp must be a whole number"),
        ("trajectories", f"{'9' * 5000}, cam1, 1, 0, 0, 0, 0, 0, 0\n", "whole number"),
        ("trajectories", "1, c, 1, 0, 0, 0, 0, 0, 0\n01, c, 1, 0, 0, 0, 0, 0, 0\n", "two poses"),
        ("records_camera", "1, cam1, ../x.jpg\n", "no file name below the data folder"),
        ("records_camera", "1, cam1, /x.jpg\n", "no file name below the data folder"),
        ("records_camera", "1, cam1, a\n2, cam1, ./a\n", "line 3: 'a' is listed twice"),
        ("records_camera", "1, cam1, a\n1, cam1, b\n", "line 3: .1, 'cam1'. is listed twice"),
        ("records_camera", "1, wifi, a\n", "which sensors.txt does not list as a camera"),
        ("records_camera", "1, cam1, a, b\n", "line 2: expected .*got 4 values"),
        ("records_camera", "1, cam1, a\0b\n", "line 2: expected text, got NUL"),
        ("records_gnss", "1, gps, 1, 2, x, 0, 0\n", "line 2: z must be a finite number"),
        ("records_wifi", "1, wifi, AA, 2400, -50, a, b, 0, 0\n", "line 2: expected .*got 9"),
    ],
)  # fmt: skip
def test_bad_lines_are_named(file: str, text: str, message: str, tmp_path: Path) -> None:
    tree(tmp_path, {"sensors/sensors.txt": SENSORS, f"sensors/{file}.txt": text})
    with pytest.raises(FormatError, match=message):
        read_kapture(tmp_path)


def test_a_rig_maze_takes_no_time(tmp_path: Path) -> None:
    lines = [f"a{i}_0, cam1, 1, 0, 0, 0, 0, 0, 0\n" for i in range(20)]
    for depth in range(8):
        lines += [
            f"a{i}_{depth + 1}, a{j}_{depth}, 1, 0, 0, 0, 0, 0, 0\n"
            for i in range(20)
            for j in range(20)
        ]
    tree(tmp_path, {"sensors/sensors.txt": SENSORS, "sensors/rigs.txt": "".join(lines),
                    "sensors/records_camera.txt": "1, cam1, a\n"})  # fmt: skip
    assert not posed_images(read_kapture(tmp_path)).model.images


def test_gnss_has_longitude_first(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "sensors/sensors.txt": SENSORS,
            "sensors/records_gnss.txt": "1, gps, 5.793155, 45.216783, 280.0, 514850400, 10.0\n",
            "sensors/records_camera.txt": "1, cam1, a.jpg\n2, cam1, b.jpg\n",
        },
    )
    kapture = read_kapture(tmp_path)
    (position,) = image_positions(kapture).values()
    assert (position.latitude_deg, position.longitude_deg) == (45.216783, 5.793155)
    assert position.height_m == 280
    assert list(image_positions(kapture)) == ["a.jpg"]
    swapped = {"sensors/records_gnss.txt": "1, gps, 45, 95, 280.0, 0, 0\n"}
    with pytest.raises(FormatError, match="GNSS record 1, gps: expected a latitude within 90"):
        gnss_positions(read_kapture(tree(tmp_path, swapped)))
    tree(tmp_path, {"sensors/sensors.txt": SENSORS.replace("4326", "2154")})
    with pytest.raises(FormatError, match="only EPSG:4326 is read"):
        gnss_positions(read_kapture(tmp_path))


def test_other_records_are_kept_as_texts(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "sensors/sensors.txt": SENSORS + "p, , pressure\n",
            "sensors/records_pressure.txt": "1, p, 1013.25, x/y.dat\n",
            "sensors/records_wifi.txt": "0, wifi, BA:98:76:54:32:10, 2400, 120.0, , 0, 10\n"
            "0, wifi, 01:23:45:67:89:AB, 2400,  33.0, home net, 0, 10\n",
        },
    )
    found = read_kapture(tmp_path).records
    assert found["pressure"] == (Record(1, "p", ("1013.25", "x/y.dat")),)
    assert found["wifi"][1].values == ("01:23:45:67:89:AB", 2400, 33.0, "home net", 0, 10)
    assert found["wifi"][0].values[3] == ""


def test_depth_maps_are_raw_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.depth"
    path.write_bytes(np.arange(12, dtype="<f4").tobytes())
    found = read_depth_map(path, (4, 3))
    np.testing.assert_array_equal(found, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    write_depth_map(tmp_path / "b.depth", found)
    assert (tmp_path / "b.depth").read_bytes() == path.read_bytes()
    path.write_bytes(np.array([-1, np.inf, np.nan, 0], "<f4").tobytes())
    np.testing.assert_array_equal(read_depth_map(path, (4, 1)), [[np.nan, np.nan, np.nan, 0]])
    for size in ((4, 4), (2**40, 2**40), (0, 3)):
        with pytest.raises(FormatError, match=r"expected \d+ bytes|positive"):
            read_depth_map(path, size)


def test_names_that_a_table_cannot_hold_are_refused(tmp_path: Path) -> None:
    for name in ("a,b.jpg", "a\nb.jpg", " a.jpg"):
        scene = PosedImages(model=posed_model({}, {}), cameras={name: CAMERA})
        with pytest.raises(FormatError, match="cannot hold"):
            write_kapture(tmp_path / "new", scene)
        assert not (tmp_path / "new" / "sensors" / "sensors.txt").exists()
    tree(tmp_path, {"sensors/sensors.txt": SENSORS})
    with pytest.raises(FormatError, match="already holds a kapture"):
        write_kapture(tmp_path, PosedImages(model=posed_model({}, {}), cameras={}))


def test_images_without_intrinsics_are_written_with_their_size(tmp_path: Path) -> None:
    scene = PosedImages(model=posed_model({}, {}), cameras={"a.jpg": CAMERA})
    write_kapture(tmp_path, scene, sizes={"b.jpg": (30, 20)})
    kapture = read_kapture(tmp_path)
    assert list(posed_images(kapture).cameras) == ["a.jpg"]
    assert sensor_size(kapture.sensors[kapture.records["camera"][1].device_id]) == (30, 20)


@pytest.mark.parametrize(
    ("text", "xyz", "rgb"),
    [
        ("# X, Y, Z\n1, 2, 3\n4, 5, 6\n", [[1, 2, 3], [4, 5, 6]], None),
        ("# X, Y, Z, R, G, B\n1, 2, 3, 9, 8, 7.0\n", [[1, 2, 3]], [[9, 8, 7]]),
        ("# X, Y, Z, [R, G, B]\n1, 2, 3, 9, 8, 7\n", [[1, 2, 3]], [[9, 8, 7]]),
        ("1, 2, 3\n", [[1, 2, 3]], None),
        ("# X, Y, Z\n", np.zeros((0, 3)), None),
        ("# X, Y, Z, R, G, B\n", np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_the_header_decides_on_colours(text: str, xyz: list, rgb: list, tmp_path: Path) -> None:
    found = read_points3d(tree(tmp_path, {"points3d.txt": text}) / "points3d.txt")
    np.testing.assert_array_equal(found.xyz, xyz)
    assert (found.rgb is None) == (rgb is None)
    if rgb is not None:
        np.testing.assert_array_equal(found.rgb, rgb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# X, Y, Z\n1, 2, 3, 4, 5, 6\n", "line 3: expected 3 values as the header, got 6"),
        ("1, 2, 3\n1, 2, 3, 4, 5, 6\n", "line 3: expected 3 values as the first point"),
        ("1, 2, 3, 4\n", "line 2: expected 4 values|got 4"),
        ("1, 2, inf\n", "line 2: each value of a point"),
        ("1, 2, 1e300\n", "a point is farther than 1e"),
        ("1, 2, 3, 4, 5, 256\n", "colours are whole numbers"),
        ("1, 2, 3, 4, 5, 0.5\n", "colours are whole numbers"),
    ],
)
def test_bad_points_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_points3d(tree(tmp_path, {"points3d.txt": text}) / "points3d.txt")


def test_observations_repeat_points_for_each_type(tmp_path: Path) -> None:
    text = "0, r2d2, b/2.jpg, 152, a.jpg, 7\n0, sift, a.jpg, 3\n1, r2d2, a.jpg, 4\n"
    path = tree(tmp_path, {"observations.txt": text}) / "observations.txt"
    found = read_observations(path, 2)
    assert found["r2d2"]["a.jpg"].tolist() == [[4, 1], [7, 0]]
    assert found["r2d2"]["b/2.jpg"].tolist() == [[152, 0]]
    assert found["sift"]["a.jpg"].tolist() == [[3, 0]]
    path.write_text("# kapture format: 1.0\n0, 01.jpg, 4561, 02.jpg, 3389\n")
    assert read_observations(path, 1)[""]["02.jpg"].tolist() == [[3389, 0]]
    for bad, message in [
        ("2, sift, a.jpg, 3\n", "point 2 does not exist, there are 2"),
        ("0, sift, a.jpg, -3\n", "negative"),
        ("0, sift, a.jpg, 3\n1, sift, a.jpg, 3\n", "line 3: .*observes point 0, too"),
        (
            "0, sift, a.jpg, 3\n1, r2d2, a.jpg, 3\n1, sift, b.jpg, 1, ./a.jpg, 3\n",
            "line 4: keypoint 3 of 'a.jpg' observes point 0, too",
        ),
        ("0, sift, ../a.jpg, 3\n", "no file name"),
        ("0, sift, a.jpg, 3.5\n", "feature_id must be a whole number"),
        ("0, sift, a.jpg, 3, b.jpg\n", "feature_id must be a whole number"),
    ]:
        with pytest.raises(FormatError, match=message):
            read_observations(tree(tmp_path, {"observations.txt": bad}) / "observations.txt", 2)


@pytest.mark.parametrize(
    ("keypoints_type", "added", "noted"),
    [("sift", 0.0, False), ("sift", 0.5, True), ("r2d2_WASF", 0.5, False), ("d2_tf", 0.0, True)],
)
def test_points_decide_about_half_a_pixel(
    keypoints_type: str, added: float, noted: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    xyz = rng.uniform([-1, -1, 4], [1, 1, 6], (60, 3))
    true = img_from_cam(CAMERA, xyz)
    tree(
        tmp_path,
        {
            "sensors/sensors.txt": SENSORS,
            "sensors/trajectories.txt": "1, cam1, 1, 0, 0, 0, 0, 0, 0\n",
            "sensors/records_camera.txt": "1, cam1, a.jpg\n",
            "reconstruction/points3d.txt": "".join(f"{x}, {y}, {z}\n" for x, y, z in xyz),
            "reconstruction/observations.txt": "".join(
                f"{i}, {keypoints_type}, a.jpg, {i}, lost.jpg, {i}\n" for i in range(60)
            ),
        },
    )
    stored = (true - added).astype(np.float32)
    header = FeatureHeader("x", "float32", 2)
    write_features(tmp_path, "keypoints", keypoints_type, header, {"a.jpg": stored})
    found = posed_images(read_kapture(tmp_path))
    (image,) = found.model.images
    assert image.keypoints is not None
    np.testing.assert_allclose(image.keypoints, true, atol=1e-4)
    np.testing.assert_array_equal(image.point3D_idxs, np.arange(60))
    assert any("px are added instead of" in note for note in found.notes) == noted
    assert any("60 observations in images without a known pose" in each for each in found.notes)
    with pytest.raises(FormatError, match="no observations of 'other'"):
        posed_images(read_kapture(tmp_path), "other")


def test_without_keypoint_files_the_observed_points_remain(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "sensors/sensors.txt": SENSORS,
            "sensors/trajectories.txt": "1, cam1, 1, 0, 0, 0, 0, 0, 0\n",
            "sensors/records_camera.txt": "1, cam1, a.jpg\n",
            "reconstruction/points3d.txt": "0, 0, 5\n1, 0, 5\n",
            "reconstruction/observations.txt": "1, sift, a.jpg, 900\n1, disk, a.jpg, 7\n"
            "0, disk, a.jpg, 8\n",
        },
    )
    found = posed_images(read_kapture(tmp_path))
    assert found.model.images[0].keypoints is None
    assert found.model.images[0].point3D_idxs.tolist() == [1, 0]
    assert any("'disk' has most and is used" in note for note in found.notes)
    assert posed_images(read_kapture(tmp_path), "sift").model.images[0].point3D_idxs.tolist() == [1]


def test_damaged_tables_give_format_errors_only(tmp_path: Path) -> None:
    sources = {
        "sensors/sensors.txt": SENSORS,
        "sensors/rigs.txt": "rig, cam1, 1, 0, 0, 0, 0, 0, 5\n",
        "sensors/trajectories.txt": "7, rig, 1, 0, 0, 0, 0, 1, 0\n7, cam2, 1, 0, 0, 0, 3, 3, 3\n",
        "sensors/records_camera.txt": "7, cam1, a.jpg\n7, cam2, b.jpg\n",
        "sensors/records_gnss.txt": "7, gps, 5.7, 45.2, 280.0, 514850400, 10.0\n",
        "reconstruction/points3d.txt": "# X, Y, Z, R, G, B\n0, 0, 5, 1, 2, 3\n1, 0, 5, 1, 2, 3\n",
        "reconstruction/observations.txt": "1, sift, a.jpg, 0\n0, sift, b.jpg, 1, a.jpg, 1\n",
    }
    tree(tmp_path, sources)
    header = FeatureHeader("x", "float32", 2)
    xy = np.full((2, 2), 9, np.float32)
    write_features(tmp_path, "keypoints", "sift", header, {"a.jpg": xy, "b.jpg": xy}, as_tar=True)
    targets = [*sources, *(f"reconstruction/keypoints/sift/keypoints.{each}" for each in
                           ("txt", "tar"))]  # fmt: skip
    original = {name: (tmp_path / name).read_bytes() for name in targets}
    draw = random.Random(1)
    outcomes = set()
    for _ in range(300):
        name = draw.choice(targets)
        data = bytearray(original[name])
        for _ in range(draw.randint(1, 4)):
            position = draw.randrange(min(len(data), 1200))
            data[position] = draw.choice([draw.randrange(256), *b",-.0 9\n#/"])
        if draw.random() < 0.1:
            del data[draw.randrange(len(data)) :]
        (tmp_path / name).write_bytes(data)
        try:
            kapture = read_kapture(tmp_path)
            posed_images(kapture)
            gnss_positions(kapture)
            outcomes.add("read")
        except FormatError:
            outcomes.add("refused")
        (tmp_path / name).write_bytes(original[name])
    assert outcomes == {"read", "refused"}
