"""4Seasons: stereo calibration of unknown direction, poses, relocalization files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.four_seasons import (
    Relocalization,
    read_four_seasons,
    read_four_seasons_calib,
    read_four_seasons_poses,
    read_four_seasons_stereo,
    read_relocalizations,
    relative_poses,
    write_four_seasons_calib,
    write_four_seasons_poses,
    write_four_seasons_stereo,
    write_relocalizations,
)
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

HALF = np.sqrt(0.5)
CALIB = (
    "Pinhole 501.4757919305817 501.4757919305817 421.7953735163109 167.65799492501083 0\n800 400\n"
)
STEREO = "1 0 0 -0.3\n0 1 0 0.001\n0 0 1 0.002\n0 0 0 1\n"
stamps = st.integers(0, 2 * 10**18).map(str)


def make_recording(root: Path, stereo: str = STEREO, folder: str = "Calibration") -> Path:
    (root / folder).mkdir(parents=True)
    for index in (0, 1):
        (root / folder / f"undistorted_calib_{index}.txt").write_text(CALIB)
    (root / folder / "undistorted_calib_stereo.txt").write_text(stereo)
    (root / "poses.txt").write_text(
        f"# ts, tx, ty, tz, qx, qy, qz, qw\n1586245800000000000, 1, 2, 3, 0, 0, {HALF}, {HALF}\n"
    )
    return root


@settings(max_examples=30)
@given(st.dictionaries(stamps, rigids, max_size=6))
def test_poses_round_trip(poses: dict[str, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poses.txt"
        write_four_seasons_poses(path, poses)
        found = read_four_seasons_poses(path)
    assert list(found) == list(poses)
    for key, pose in found.items():
        np.testing.assert_allclose(pose.rotation, poses[key].rotation, atol=1e-14)
        np.testing.assert_array_equal(pose.translation, poses[key].translation)


@settings(max_examples=30)
@given(st.dictionaries(st.tuples(stamps, stamps), st.none() | rigids, max_size=6))
def test_relocalizations_round_trip(pairs: dict[tuple[str, str], Rigid3 | None]) -> None:
    given_pairs = [Relocalization(*key, pose) for key, pose in pairs.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.txt"
        write_relocalizations(path, given_pairs)
        found = read_relocalizations(path)
    assert [(each.reference, each.query) for each in found] == list(pairs)
    for each, wanted in zip(found, pairs.values(), strict=True):
        assert (each.query_from_reference is None) == (wanted is None)
        if each.query_from_reference is not None and wanted is not None:
            assert_same_pose(each.query_from_reference, wanted)


@settings(max_examples=30)
@given(st.floats(200, 2000), st.floats(230, 799), st.floats(1, 399))
def test_calibrations_round_trip(focal: float, cx: float, cy: float) -> None:
    camera = Camera("PINHOLE", 800, 400, np.array([focal, focal + 1, cx, cy]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calib.txt"
        write_four_seasons_calib(path, camera)
        found = read_four_seasons_calib(path)
    assert (found.model, found.width, found.height) == ("PINHOLE", 800, 400)
    np.testing.assert_allclose(found.params, camera.params, rtol=1e-14)


@pytest.mark.parametrize("folder", ["Calibration", "calib"])
def test_recordings_have_images_of_both_cameras(folder: str, tmp_path: Path) -> None:
    posed = read_four_seasons(make_recording(tmp_path, folder=folder))
    poses = poses_of(posed)
    left, right = "cam0/1586245800000000000.png", "cam1/1586245800000000000.png"
    assert list(poses) == [left, right] and posed.is_metric
    np.testing.assert_allclose(poses[left].center, [1, 2, 3], atol=1e-14)
    # the car is turned by 90 degrees about z: its right is the world's y
    np.testing.assert_allclose(poses[right].center, [1, 2.3, 3], atol=3e-3)
    # the file's (0, 0) is the centre of the first pixel
    np.testing.assert_allclose(
        posed.cameras[left].params,
        [501.4757919305817, 501.4757919305817, 422.2953735163109, 168.15799492501083],
    )
    assert list(poses_of(read_four_seasons(tmp_path, stereo=False))) == [left]


def test_the_baseline_tells_the_direction_of_the_stereo_matrix(tmp_path: Path) -> None:
    path = tmp_path / "stereo.txt"
    for text in (STEREO, STEREO.replace("-0.3", "0.3")):
        path.write_text(text)
        cam1_from_cam0 = read_four_seasons_stereo(path)
        assert cam1_from_cam0.translation[0] == -0.3  # cam0's centre is to the left of cam1
    write_four_seasons_stereo(path, cam1_from_cam0)
    assert_same_pose(read_four_seasons_stereo(path), cam1_from_cam0)
    path.write_text(STEREO.replace("-0.3", "0.001"))
    with pytest.raises(FormatError, match="a baseline along x"):
        read_four_seasons_stereo(path)


def test_missing_images_are_counted(tmp_path: Path) -> None:
    images = make_recording(tmp_path) / "undistorted_images/cam0"
    images.mkdir(parents=True)
    (images / "1586245800000000000.png").touch()
    (note,) = read_four_seasons(tmp_path).notes
    assert note.startswith("1 posed image not found")


def test_results_are_query_from_reference(tmp_path: Path) -> None:
    path = tmp_path / "relocalizationFile.txt"
    path.write_text("# ref q\n10 20\n10 21\n")
    pairs = read_relocalizations(path)
    assert [each.query_from_reference for each in pairs] == [None, None]
    reference = {"10": Rigid3(np.eye(3), np.array([5.0, 0, 0]))}
    # the query is 2 m ahead of the reference, in its own axes turned by 90 degrees about z
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    query = {"20": Rigid3(turn, np.array([5.0, 0, 2])).inverse()}
    (result,) = relative_poses(pairs, reference, query)
    assert (result.reference, result.query) == ("10", "20")
    assert result.query_from_reference is not None
    np.testing.assert_allclose(result.query_from_reference.translation, [0, 0, -2], atol=1e-14)
    np.testing.assert_allclose(result.query_from_reference.rotation, turn.T, atol=1e-14)
    write_relocalizations(path, [result])
    words = path.read_text().split()
    assert words[:2] == ["10", "20"] and len(words) == 9
    # x y z w: a turn about -z
    np.testing.assert_allclose([float(word) for word in words[5:]], [0, 0, -HALF, HALF], atol=1e-14)
    with pytest.raises(FormatError, match="no pose of the reference frame 10"):
        relative_poses(pairs, {}, query)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n", "line 1: expected 'ref_ts q_ts'"),
        ("1 x\n", "line 1: expected a timestamp"),
        ("1 2\n1 2\n", "line 2: the pair 1 2 is listed twice"),
        ("1 2 0 0 0 0 0 0 0\n", "line 1: a quaternion"),
        ("1 2 inf 0 0 0 0 0 1\n", "line 1: all numbers must be finite"),
    ],
)
def test_bad_relocalization_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_relocalizations(tmp_path / "r.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 'Pinhole"),
        ("Pinhole 500 500 400 200 0\n", "expected 'Pinhole"),
        ("FOV 500 500 400 200 0\n800 400\n", "expected 'Pinhole"),
        ("Pinhole 500 500 400 200 0.1\n800 400\n", "no distortion, got 0.1"),
        ("Pinhole 500 500 400 200 0\n800.5 400\n", "line 2: expected a whole number"),
        ("Pinhole 0.6 1.2 0.5 0.4 0\n800 400\n", "focal length"),
    ],
)
def test_bad_calibrations_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_four_seasons_calib(tmp_path / "c.txt")


def test_bad_poses_and_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a folder Calibration or calib"):
        read_four_seasons(tmp_path)
    path = tmp_path / "poses.txt"
    for text, message in [
        ("1 2 3\n", "line 1: expected 'timestamp, tx"),
        ("1.5, 0, 0, 0, 0, 0, 0, 1\n", "line 1: expected a timestamp"),
        ("1, 0, 0, 0, 0, 0, 0, 1\n" * 2, "line 2: 1 is listed twice"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_four_seasons_poses(path)
    with pytest.raises(FormatError, match="expected a timestamp"):
        write_four_seasons_poses(path, {"../1": Rigid3.identity()})
    with pytest.raises(FormatError, match="PINHOLE"):
        write_four_seasons_calib(path, Camera("SIMPLE_PINHOLE", 8, 4, np.array([5.0, 4, 2])))


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    recording = make_recording(tmp_path)
    names = [
        "poses.txt",
        "Calibration/undistorted_calib_0.txt",
        "Calibration/undistorted_calib_stereo.txt",
    ]
    for name in names:
        check_damaged(recording / name, lambda: read_four_seasons(recording))
    path = tmp_path / "r.txt"
    path.write_text("1 2 0 0 0 0 0 0 1\n3 4\n")
    check_damaged(path, lambda: read_relocalizations(path))
