"""12-Scenes: keys of info.txt, the first sequence as test part, INF poses."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.twelve_scenes import (
    Sequence,
    read_frame_pose,
    read_info,
    read_sequences,
    read_twelve_scenes,
    write_info,
    write_sequences,
    write_twelve_scenes,
)
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

INFO = """m_versionNumber = 4
m_sensorName = StructureSensor
m_colorWidth = 1296
m_colorHeight = 968
m_depthWidth = 640
m_depthHeight = 480
m_depthShift = 1000
m_calibrationColorIntrinsic = 1158.3 0 649 0 0 1153.53 483.5 0 0 0 1 0 0 0 0 1
m_calibrationColorExtrinsic = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
m_calibrationDepthIntrinsic = 572 0 320 0 0 572 240 0 0 0 1 0 0 0 0 1
m_frames.size = 3
"""
SPLIT = "sequence0 [frames=1] [start=0 ; end=0]\nsequence1 [frames=2] [start=1 ; end=2]\n"
# a half turn about y
POSE = "-1 0 0 0.5\n0 1 0 1\n0 0 -1 2\n0 0 0 1\n"
LOST = "INF INF INF INF\n" * 4
CAMERA = Camera("PINHOLE", 1296, 968, np.array([1158.3, 1153.53, 649, 483.5]))


def make_room(root: Path) -> Path:
    (root / "data").mkdir(parents=True)
    (root / "info.txt").write_text(INFO)
    (root / "split.txt").write_text(SPLIT)
    for frame, text in enumerate([POSE, LOST, POSE]):
        (root / f"data/frame-{frame:06d}.color.jpg").touch()
        (root / f"data/frame-{frame:06d}.pose.txt").write_text(text)
    return root


@settings(max_examples=25)
@given(st.lists(st.none() | rigids, min_size=2, max_size=6), st.data())
def test_round_trip(given_poses: list[Rigid3 | None], data: st.DataObject) -> None:
    names = [f"data/frame-{frame:06d}.color.jpg" for frame in range(len(given_poses))]
    poses = {n: p for n, p in zip(names, given_poses, strict=True) if p is not None}
    cameras = dict.fromkeys(names, CAMERA)
    num_test = data.draw(st.integers(1, len(names)))
    sequences = (Sequence("sequence0", num_test), Sequence("sequence1", len(names) - num_test))
    posed = PosedImages(model=posed_model(cameras, poses), cameras=cameras)
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        write_twelve_scenes(room, posed, sequences)
        for name in names:
            (room / name).touch()
        test, train = read_twelve_scenes(room, "test"), read_twelve_scenes(room, "train")
        assert read_sequences(room / "split.txt") == sequences
    assert [*test.cameras, *train.cameras] == names
    assert len(test.cameras) == num_test
    found = poses_of(test) | poses_of(train)
    assert found.keys() == poses.keys()
    for name, pose in found.items():
        assert_same_pose(pose, poses[name])
    np.testing.assert_array_equal(test.cameras[names[0]].params, CAMERA.params)


def test_the_first_sequence_is_the_test_part(tmp_path: Path) -> None:
    room = make_room(tmp_path)
    test, train = read_twelve_scenes(room, "test"), read_twelve_scenes(room, "train")
    assert list(poses_of(test)) == ["data/frame-000000.color.jpg"]
    assert list(train.cameras) == ["data/frame-000001.color.jpg", "data/frame-000002.color.jpg"]
    (pose,) = poses_of(test).values()
    np.testing.assert_allclose(pose.center, [0.5, 1, 2], atol=1e-15)
    np.testing.assert_allclose(pose.rotation, np.diag([-1.0, 1, -1]), atol=1e-15)
    assert test.is_metric and test.image_folder == room and test.notes == ()


def test_untracked_frames_are_left_out_with_a_note(tmp_path: Path) -> None:
    train = read_twelve_scenes(make_room(tmp_path), "train")
    assert list(poses_of(train)) == ["data/frame-000002.color.jpg"]
    assert train.notes == ("1 frame left out: the pose file holds INF, tracking was lost",)


@pytest.mark.parametrize("word", ["INF", "-INF", "inf", "nan", "-1.#INF", "-Infinity"])
def test_one_infinite_number_is_enough(word: str, tmp_path: Path) -> None:
    path = tmp_path / "pose.txt"
    path.write_text(POSE.replace("0.5", word))
    assert read_frame_pose(path) is None


def test_info_is_read_by_keys(tmp_path: Path) -> None:
    path = tmp_path / "info.txt"
    path.write_text("".join(sorted(INFO.splitlines(keepends=True))))
    camera = read_info(path)
    assert (camera.model, camera.width, camera.height) == ("PINHOLE", 1296, 968)
    np.testing.assert_array_equal(camera.params, [1158.3, 1153.53, 649, 483.5])
    write_info(path, CAMERA)
    np.testing.assert_array_equal(read_info(path).params, CAMERA.params)
    with pytest.raises(FormatError, match="without distortion"):
        write_info(path, Camera("SIMPLE_RADIAL", 1296, 968, np.array([1158.3, 648, 484, 0.1])))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("m_colorWidth", "m_width", "with m_colorWidth"),
        ("= 1296", "= 1296.5", "line 3: expected a whole number"),
        ("= 1296", "= " + "9" * 50, "line 3: expected a whole number"),
        ("= 968", "= 0", "line 4: expected a number from 1"),
        ("1158.3 0 649", "1158.3 649 0", "line 8: expected fx 0 cx"),
        ("1158.3 0 649", "0 0 649", "line 8: focal length"),
        ("1158.3 0 649", "1158.3 0", "line 8: expected 16 numbers, got 15"),
        ("1158.3 0 649", "inf 0 649", "line 8: all numbers must be finite"),
        ("m_depthWidth", "m_colorWidth", "line 5: 'm_colorWidth' is given twice"),
    ],
)
def test_bad_info_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "info.txt"
    path.write_text(INFO.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_info(path)


def test_split_lines(tmp_path: Path) -> None:
    path = tmp_path / "split.txt"
    path.write_text("sequence0 [frames=357] [start=0 ; end=356]\nsequence1 [frames=5]\n")
    assert read_sequences(path) == (Sequence("sequence0", 357), Sequence("sequence1", 5))
    write_sequences(path, (Sequence("a", 3), Sequence("b", 2)))
    assert path.read_text() == "a [frames=3] [start=0 ; end=2]\nb [frames=2] [start=3 ; end=4]\n"
    for text, message in [
        ("", "empty"),
        ("sequence0 357\n", "line 1: expected"),
        ("sequence0 [frames=-3]\n", "line 1: expected"),
        ("sequence0 [frames=3] [start=0 ; end=3]\n", "line 1: 3 frames after frame 0 do not end"),
        ("s [frames=3] [start=0 ; end=2]\nt [frames=3] [start=9 ; end=11]\n", "line 2: 3 frames"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_sequences(path)


def test_what_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    room = make_room(tmp_path)
    with pytest.raises(FormatError, match="expected train or test"):
        read_twelve_scenes(room, "val")  # type: ignore[arg-type]
    (room / "data/frame-000000.pose.txt").write_text("1 2 3\n")
    with pytest.raises(FormatError, match=r"frame-000000.pose.txt: expected 4 lines of 4"):
        read_twelve_scenes(room, "test")
    (room / "data/frame-000000.pose.txt").unlink()
    with pytest.raises(FormatError, match=r"frame-000000.pose.txt does not exist"):
        read_twelve_scenes(room, "test")
    for path in (room / "data").iterdir():
        path.unlink()
    with pytest.raises(FormatError, match="found none"):
        read_twelve_scenes(room, "test")


def test_other_names_and_several_cameras_cannot_be_written(tmp_path: Path) -> None:
    other = Camera("PINHOLE", 1296, 968, np.array([1000.0, 1000, 648, 484]))
    names = [f"data/frame-00000{i}.color.jpg" for i in range(2)]
    for cameras, message in [
        ({"../data/frame-000000.color.jpg": CAMERA}, "12-Scenes names images"),
        (dict(zip(names, [CAMERA, other], strict=True)), "one camera for all"),
        ({}, "at least one image"),
    ]:
        posed = PosedImages(model=posed_model(cameras, {}), cameras=cameras)
        with pytest.raises(FormatError, match=message):
            write_twelve_scenes(tmp_path, posed, (Sequence("a", 2),))


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    room = make_room(tmp_path)
    check_damaged(room / "info.txt", lambda: read_info(room / "info.txt"))
    check_damaged(room / "split.txt", lambda: read_sequences(room / "split.txt"))
    pose = room / "data/frame-000000.pose.txt"
    check_damaged(pose, lambda: read_frame_pose(pose))
