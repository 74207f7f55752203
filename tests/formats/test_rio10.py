"""RIO10: lists of world_from_cam poses, intrinsics of recordings, frame folders."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.rio10 import (
    read_rio10_intrinsics,
    read_rio10_poses,
    read_rio10_sequences,
    rio10_truth,
    write_rio10_frames,
    write_rio10_intrinsics,
    write_rio10_poses,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

NAMES = st.builds(
    lambda scene, scan, frame: f"seq{scene:02d}_{scan:02d}/frame-{frame:06d}.color.jpg",
    st.integers(1, 10),
    st.integers(1, 12),
    st.integers(0, 9999),
)
INTRINSICS = "seq01_01 756.026 756.832 270.419 492.889\nseq01_02 756.026 756.832 270.418 492.889\n"


@settings(max_examples=30)
@given(st.dictionaries(NAMES, rigids, max_size=6))
def test_pose_lists_round_trip(poses: dict[str, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poses.txt"
        write_rio10_poses(path, poses)
        found = read_rio10_poses(path)
    assert list(found) == list(poses)
    for name, pose in found.items():
        assert_same_pose(pose, poses[name])


@settings(max_examples=20)
@given(st.dictionaries(NAMES, rigids, min_size=1, max_size=5))
def test_frame_folders_round_trip(poses: dict[str, Rigid3]) -> None:
    sequences = tuple(sorted({name.split("/")[0] for name in poses}))
    camera = Camera("PINHOLE", 540, 960, np.array([756.0, 757.25, 270.5, 492.125]))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_rio10_intrinsics(root / "intrinsics.txt", dict.fromkeys(sequences, camera))
        write_rio10_frames(root, poses)
        for name in poses:
            (root / name).touch()
        found = read_rio10_sequences(root, sequences, root / "intrinsics.txt")
    assert poses_of(found).keys() == poses.keys()
    for name, pose in poses_of(found).items():
        assert_same_pose(pose, poses[name])
        np.testing.assert_array_equal(found.cameras[name].params, camera.params)


def test_lists_hold_world_from_cam(tmp_path: Path) -> None:
    path, half = tmp_path / "poses.txt", np.sqrt(0.5)
    path.write_text(f"# truth\nseq02_02/frame-000007 {half} 0 0 {half} 1 2 3")
    ((name, pose),) = read_rio10_poses(path).items()
    assert name == "seq02_02/frame-000007.color.jpg"
    np.testing.assert_allclose(pose.center, [1, 2, 3], atol=1e-14)
    # the camera's x axis is the world's y axis
    np.testing.assert_allclose(pose.rotation @ [0, 1, 0], [1, 0, 0], atol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seq02_02/frame-000007 1 0 0 0 1 2\n", "line 1: expected 'seq01_02/frame-000000 qw"),
        ("seq02_02/frame-000007.color.jpg 1 0 0 0 1 2 3\n", "line 1: expected"),
        ("../seq02_02/frame-000007 1 0 0 0 1 2 3\n", "line 1: expected"),
        ("seq02_02/frame-000007 1 0 0 0 1 2 nan\n", "line 1: all numbers must be finite"),
        ("seq02_02/frame-000007 0 0 0 0 1 2 3\n", "line 1: a quaternion needs"),
        ("seq02_02/frame-000007 1 2 3 1 0 0 0\n", "line 1: .*another order"),
        ("seq02_02/frame-000007 1 0 0 0 1 2 3\n" * 2, "line 2: .*twice"),
    ],
)
def test_bad_pose_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "poses.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_rio10_poses(tmp_path / "poses.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seq01_01 756 756 270\n", "line 1: expected 'seq01_01 fx fy cx cy'"),
        ("scene 756 756 270 490\n", "line 1: expected"),
        ("seq01_01 756 756 270 490\n" * 2, "line 2: .*twice"),
        ("seq01_01 756 756 490 270\n", "line 1: principal point.*exchanged"),
        ("seq01_01 0 756 270 490\n", "line 1: focal length"),
        ("seq01_01 inf 756 270 490\n", "line 1: all numbers must be finite"),
    ],
)
def test_bad_intrinsics_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "intrinsics.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_rio10_intrinsics(tmp_path / "intrinsics.txt")


def test_other_names_and_cameras_cannot_be_written(tmp_path: Path) -> None:
    for name in ("seq01_02/frame-000000", "../frame-000000.color.jpg", "a.jpg"):
        with pytest.raises(FormatError, match="RIO10 names images"):
            write_rio10_poses(tmp_path / "x.txt", {name: Rigid3.identity()})
        with pytest.raises(FormatError, match="RIO10 names images"):
            write_rio10_frames(tmp_path / "x", {name: Rigid3.identity()})
    with pytest.raises(FormatError, match="540 x 960"):
        camera = Camera("PINHOLE", 960, 540, np.array([756.0, 756, 480, 270]))
        write_rio10_intrinsics(tmp_path / "x.txt", {"seq01_01": camera})
    assert not list(tmp_path.iterdir())


def test_hidden_poses_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "i.txt").write_text(INTRINSICS)
    (tmp_path / "seq01_02").mkdir()
    with pytest.raises(FormatError, match=r"seq01_02: expected files frame-000000.color.jpg"):
        read_rio10_sequences(tmp_path, ("seq01_02",), tmp_path / "i.txt")
    (tmp_path / "seq01_02/frame-000000.color.jpg").touch()
    found = read_rio10_sequences(tmp_path, ("seq01_02",), tmp_path / "i.txt")
    assert poses_of(found) == {} and len(found.cameras) == 1
    assert found.notes == ("1 image without a pose file have no pose",)
    with pytest.raises(FormatError, match="RIO10 names recordings"):
        read_rio10_sequences(tmp_path, ("../x",), tmp_path / "i.txt")
    (tmp_path / "p.txt").write_text("seq09_02/frame-000000 1 0 0 0 1 2 3\n")
    with pytest.raises(FormatError, match="no intrinsics of 'seq09_02'"):
        rio10_truth(tmp_path / "p.txt", tmp_path / "i.txt")


def test_poses_in_the_wrong_direction_get_a_note(tmp_path: Path) -> None:
    (tmp_path / "i.txt").write_text(INTRINSICS)
    # a camera that walks along x, far from the origin, and looks around
    turns = [exp_so3([0, 0.3 * step, 0]) for step in range(20)]
    walk = [Rigid3(r, np.array([5 + 0.05 * i, 0, 0])) for i, r in enumerate(turns)]
    names = [f"seq01_02/frame-{i:06d}.color.jpg" for i in range(20)]
    write_rio10_poses(tmp_path / "right.txt", {n: p.inverse() for n, p in zip(names, walk)})  # noqa: B905
    write_rio10_poses(tmp_path / "wrong.txt", dict(zip(names, walk, strict=True)))
    assert rio10_truth(tmp_path / "right.txt", tmp_path / "i.txt").notes == ()
    (note,) = rio10_truth(tmp_path / "wrong.txt", tmp_path / "i.txt").notes
    assert "seq01_02: the path of the camera is" in note and "check the direction" in note


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    poses, cameras = tmp_path / "p.txt", tmp_path / "i.txt"
    poses.write_text("".join(f"seq01_02/frame-00000{i} 1 0 0 0 1 2 3\n" for i in range(5)))
    cameras.write_text(INTRINSICS)
    check_damaged(poses, lambda: rio10_truth(poses, cameras))
    check_damaged(cameras, lambda: read_rio10_intrinsics(cameras))


def test_the_published_lists_are_read() -> None:
    folder = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "/nonexistent")) / "rio10"
    if not folder.is_dir():
        pytest.skip("set HLOC_LITE_FIELD_DATA to a folder with rio10/")
    truth = rio10_truth(folder / "GT_RIO10.txt", folder / "intrinsics.txt")
    counts = Counter(image.name[:5] for image in truth.model.images)
    assert list(counts.values()) == [2069, 2295, 5143, 1920, 1124, 940, 5473, 899, 7245, 7307]
    assert truth.notes == ()  # the direction is right: paths are short
