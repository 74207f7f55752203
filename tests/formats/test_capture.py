"""Capture sessions: reversed poses, rig queries, covariances; round trips and damaged files."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.capture import (
    CaptureSession,
    list_sessions,
    read_session,
    session_images,
    session_queries,
    write_session,
)
from hloc_lite.formats.kapture import DevicePose, Record, Sensor
from hloc_lite.io.number_range import MAX_NUMBER

finite = st.floats(allow_nan=False, allow_infinity=False)
coordinates = st.floats(-MAX_NUMBER, MAX_NUMBER)
times = st.integers(0, 10**17)
HALF = repr(0.5**0.5)
# rotation by 90 degrees about z: (x, y, z) becomes (-y, x, z)
TURN = f"{HALF}, 0, 0, {HALF}"
SENSORS = (
    "# sensor_id, name, sensor_type, [sensor_params]+\n"
    "cam_l, left, camera, PINHOLE, 640, 480, 500, 510, 320, 240\n"
    "cam_r, right, camera, PINHOLE, 640, 480, 500, 510, 320, 240\n"
    "phone, , camera, SIMPLE_PINHOLE, 640, 480, 500, 320, 240\nwifi, , wifi\n"
)
SESSION = {
    "sensors.txt": SENSORS,
    "rigs.txt": f"# rig_id, sensor_id\nhl, cam_l, 1, 0, 0, 0, -0.1, 0, 0\n"
    f"hl, cam_r, {TURN}, 0.1, 0, 0\n",
    "trajectories.txt": "# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz, *covar\n"
    f"1655000000000001, hl, {TURN}, 1, 2, 3\n"
    f"1655000000000002, phone, 1, 0, 0, 0, 4, 5, 6, {', '.join(map(str, range(36)))}\n",
    "images.txt": "1655000000000001, cam_l, images/l 1.jpg\n"
    "1655000000000001, cam_r, images/r1.jpg\n1655000000000002, phone, images/p.jpg\n"
    "1655000000000003, phone, images/unposed.jpg\n",
    "depths.txt": "1655000000000001, cam_l, depths/l1.png\n",
    "queries.txt": "1655000000000001, hl\n1655000000000002, phone\n",
    "wifi.txt": "1, wifi, 24:a4:3c:9e:d2:84, 2412000, -61.0, eduroam, 0, -1\n",
    "bt.txt": "1, wifi, guid:1:2, -70.0, \n",
}


def tree(folder: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


poses = st.builds(
    DevicePose,
    st.none() | st.sampled_from([(1.0, 0.0, 0.0, 0.0), (0.5, -0.5, 0.5, -0.5)]),
    st.none() | st.tuples(*[coordinates] * 3),
    st.none() | st.tuples(*[finite] * 36),
)
trajectories = st.dictionaries(
    st.tuples(times, st.sampled_from(["cam_l", "hl"])), poses, max_size=3
)


@settings(max_examples=30)
@given(trajectories, trajectories, st.lists(times, unique=True, max_size=3))
def test_sessions_round_trip_exactly(
    first: dict[tuple[int, str], DevicePose],
    second: dict[tuple[int, str], DevicePose],
    stamps: list[int],
) -> None:
    params = ("SIMPLE_PINHOLE", "640", "480", "500.25", "320", "240")
    names = [f"é {number}/#.jpg" for number in range(len(stamps))]
    session = CaptureSession(
        folder=Path("unused"),
        sensors={"cam_l": Sensor("x", "camera", params)},
        rigs={"hl": {"cam_l": DevicePose((1.0, 0.0, 0.0, 0.0), (0.1, 0.2, 0.3))}},
        trajectories=first,
        aligned=second,
        records={
            "camera": tuple(
                Record(stamp, "cam_l", (name,)) for stamp, name in zip(stamps, names, strict=True)
            ),
            "wifi": (Record(1, "cam_l", ("a:b", 5, -3.5, "", 0, -1)),),
        },
        queries=tuple((stamp, "hl") for stamp in stamps),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_session(Path(folder), session)
        found = read_session(Path(folder))
        assert "kapture format" not in (Path(folder) / "sensors.txt").read_text()
        with pytest.raises(FormatError, match="already holds a session"):
            write_session(Path(folder), session)
    assert found.sensors == session.sensors
    assert found.rigs == session.rigs
    assert (found.trajectories, found.aligned) == (first, second)
    assert found.records == session.records
    assert found.queries == session.queries


def test_poses_are_the_inverses_of_kaptures(tmp_path: Path) -> None:
    session = read_session(tree(tmp_path, SESSION))
    found = session_images(session)
    assert found.is_metric and found.image_folder == tmp_path / "raw_data"
    assert "images/unposed.jpg" in found.cameras
    images = {image.name: image.cam_from_world for image in found.model.images}
    assert sorted(images) == ["images/l 1.jpg", "images/p.jpg", "images/r1.jpg"]
    np.testing.assert_array_equal(images["images/p.jpg"].center, [4, 5, 6])
    # the left camera is at (-0.1, 0, 0) on the rig, which is turned to (0, -0.1, 0), at (1, 2, 3)
    np.testing.assert_allclose(images["images/l 1.jpg"].center, [1, 1.9, 3], atol=1e-12)
    # the right camera is turned by 180 degrees in all: it sees the world origin mirrored
    right = images["images/r1.jpg"]
    np.testing.assert_allclose(right.center, [1, 2.1, 3], atol=1e-12)
    np.testing.assert_allclose(right.apply(np.zeros(3)), [1, 2.1, -3], atol=1e-12)
    pose = session.trajectories[1655000000000002, "phone"]
    assert pose.covariance == tuple(range(36))
    assert session.records["wifi"][0].values[1:3] == (2412000, -61.0)


def test_rig_queries_have_several_images(tmp_path: Path) -> None:
    rig, single = session_queries(read_session(tree(tmp_path, SESSION)))
    assert (rig.timestamp_us, rig.device_id) == (1655000000000001, "hl")
    assert rig.images == {"cam_l": "images/l 1.jpg", "cam_r": "images/r1.jpg"}
    np.testing.assert_allclose(rig.cam_from_device["cam_l"].translation, [0.1, 0, 0], atol=1e-12)
    # the point on the rig where the right camera is
    np.testing.assert_allclose(
        rig.cam_from_device["cam_r"].apply(np.array([0.1, 0, 0])), 0, atol=1e-12
    )
    np.testing.assert_allclose(
        rig.cam_from_device["cam_r"].apply(np.array([0.1, 1, 0])), [1, 0, 0], atol=1e-12
    )
    assert single.images == {"phone": "images/p.jpg"}
    np.testing.assert_array_equal(single.cam_from_device["phone"].matrix, np.eye(4))
    assert single.cameras["phone"].model == "SIMPLE_PINHOLE"


def test_aligned_poses_are_asked_for(tmp_path: Path) -> None:
    session = read_session(tree(tmp_path, SESSION))
    with pytest.raises(FormatError, match=r"alignment_trajectories\.txt does not exist"):
        session_images(session, aligned=True)
    tree(
        tmp_path,
        {"proc/alignment_trajectories.txt": "1655000000000002, phone, 1, 0, 0, 0, 7, 8, 9\n"},
    )
    (image,) = session_images(read_session(tmp_path), aligned=True).model.images
    np.testing.assert_array_equal(image.cam_from_world.center, [7, 8, 9])


def test_only_sensors_are_required(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"sensors\.txt does not exist"):
        read_session(tmp_path)
    tree(tmp_path, {"sessions/map/sensors.txt": SENSORS, "sessions/q/sensors.txt": SENSORS})
    assert list_sessions(tmp_path) == ["map", "q"]
    assert not session_images(read_session(tmp_path / "sessions" / "map")).cameras
    assert not session_queries(read_session(tmp_path / "sessions" / "map"))
    tree(tmp_path, {"sensors.txt": "# kapture format: 1.1\n" + SENSORS})
    with pytest.raises(FormatError, match="read it as a kapture"):
        read_session(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("trajectories.txt", "1, hl, 1, 0, 0, 0, 0, 0, 0, 1\n", "line 1: expected .* got 8 values"),
        ("trajectories.txt", "1, hl, 1, 0, 0, 0, 0, 0\n", "line 1: expected .*got 8 values"),
        ("trajectories.txt", "1.5, hl, 1, 0, 0, 0, 0, 0, 0\n", "timestamp must be a whole number"),
        ("images.txt", "1, cam_l, ../a.jpg\n", "no file name"),
        ("images.txt", "1, nobody, a.jpg\n", "which sensors.txt does not list"),
        ("queries.txt", "1, nobody\n", "line 1: 'nobody' at 1 is no known sensor or rig"),
        ("queries.txt", "1, hl\n01, hl\n", "line 2: 'hl' at 01 is listed twice"),
        ("queries.txt", "1\n", "line 1: expected 'timestamp, sensor_or_rig_id'"),
    ],
)
def test_bad_lines_are_named(file: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_session(tree(tmp_path, {**SESSION, file: text}))


def test_queries_without_images_are_refused(tmp_path: Path) -> None:
    session = read_session(tree(tmp_path, SESSION))
    with pytest.raises(FormatError, match="query 5, 'hl' has no image"):
        session_queries(replace(session, queries=((5, "hl"),)))
    blind = {**session.sensors, "phone": Sensor("", "camera", ("UNKNOWN_CAMERA", "6", "4"))}
    with pytest.raises(FormatError, match="has an image without intrinsics"):
        session_queries(replace(session, sensors=blind))
    assert "2 images without intrinsics" in session_images(replace(session, sensors=blind)).notes[0]


def test_damaged_sessions_give_format_errors_only(tmp_path: Path) -> None:
    tree(tmp_path, SESSION)
    original = {name: (tmp_path / name).read_bytes() for name in SESSION}
    draw = random.Random(3)
    outcomes = set()
    for _ in range(300):
        name = draw.choice(sorted(original))
        data = bytearray(original[name])
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.choice([draw.randrange(256), *b",-.0 9\n#/"])
        (tmp_path / name).write_bytes(data)
        try:
            session = read_session(tmp_path)
            session_images(session)
            session_queries(session)
            outcomes.add("read")
        except FormatError:
            outcomes.add("refused")
        (tmp_path / name).write_bytes(original[name])
    assert outcomes == {"read", "refused"}
