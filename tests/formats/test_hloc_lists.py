"""hloc's text lists: round trips with any names, errors with line numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import (
    check_names,
    parse_camera,
    pose_line,
    read_image_list,
    read_pairs,
    read_poses,
    read_queries,
    write_poses,
    write_queries,
)
from hloc_lite.geometry.cameras import CAMERA_MODELS, camera_from_focal
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.image_names import leads_out
from hloc_lite.types import Camera, Rigid3

characters = st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])
names = st.one_of(
    st.text(characters, min_size=1, max_size=30),
    st.lists(st.sampled_from(["Straße", "é 1", "PINHOLE", "0.5", "a/b", "IMG 7"]), min_size=1).map(
        " ".join
    ),
).filter(
    lambda name: (
        name == name.strip()
        and not leads_out(name)
        and not name.startswith(("#", "\ufeff"))
        and name == PurePosixPath(name).as_posix()
    )
)
finite = st.floats(-1e9, 1e9)
poses = st.builds(
    lambda r, t: Rigid3(exp_so3(r), np.array(t)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(finite, finite, finite),
)


def written(text: str, folder: Path) -> Path:
    path = folder / "list.txt"
    path.write_text(text, encoding="utf-8")
    return path


@given(st.dictionaries(names, poses, max_size=8))
def test_poses_round_trip(poses_by_name: dict[str, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poses.txt"
        write_poses(path, poses_by_name)
        found = read_poses(path)
    assert list(found) == list(poses_by_name)
    for name, pose in poses_by_name.items():
        np.testing.assert_allclose(found[name].rotation, pose.rotation, atol=1e-14)
        np.testing.assert_array_equal(found[name].translation, pose.translation)


@given(
    st.dictionaries(names, st.sampled_from(list(CAMERA_MODELS)), max_size=8),
    st.floats(0.2, 29),
    st.integers(1, 10000),
    st.integers(1, 10000),
)
def test_queries_round_trip(
    models: dict[str, str], focal_ratio: float, width: int, height: int
) -> None:
    focal = focal_ratio * max(width, height)
    panorama = Camera("EQUIRECTANGULAR", width, height, np.array([width, height], np.float64))
    cameras = {
        name: panorama
        if model == panorama.model
        else camera_from_focal(model, width, height, focal, has_prior_focal=True)
        for name, model in models.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.txt"
        write_queries(path, cameras)
        found = read_queries(path)
    assert list(found) == list(cameras)
    for name, camera in cameras.items():
        assert (found[name].model, found[name].width, found[name].height) == (
            camera.model,
            width,
            height,
        )
        np.testing.assert_array_equal(found[name].params, camera.params)


def test_pose_lines_have_the_documented_order(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    path = written(f"# a comment\n\na/b c.jpg {half} 0 0 {half} 1 2 3\r\n", tmp_path)
    (pose,) = read_poses(path).values()
    np.testing.assert_allclose(pose.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_array_equal(pose.translation, [1, 2, 3])
    assert pose_line("x", Rigid3.identity()) == "x 1.0 0.0 0.0 0.0 0.0 0.0 0.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 0 0 0 0 0 0\nb 1 0 0 0 0 0\n", "line 2: expected 'name qw qx qy qz tx ty tz'"),
        ("a 1 0 0 0 0 0 x\n", "line 1: could not convert"),
        ("a 1 0 0 0 0 0 nan\n", "line 1: all numbers must be finite"),
        ("a inf 0 0 0 0 0 0\n", "line 1: all numbers must be finite"),
        ("# c\n\na 0 0 0 0 0 0 0\n", "line 3: a quaternion needs"),
        ("a 1 2 3 1 0 0 0\n", "line 1: .*not a unit quaternion, its length is 3.87.*order"),
        ("a 1 0 0 0 0 0 0\na 1 0 0 0 0 0 1\n", "line 2: 'a' is listed twice"),
    ],
)
def test_bad_pose_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_poses(written(text, tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg PINHOLE 640 480 500 500 320\n", "line 1: expected 'a?.*NAME PINHOLE W H fx fy cx"),
        ("a.jpg 640 480 500 500 320 240\n", "line 1: expected .* with a COLMAP camera model"),
        ("\na.jpg SIMPLE_PINHOLE 640 480 abc 320 240\n", "line 2: could not convert"),
        ("a.jpg SIMPLE_PINHOLE 640 480 nan 320 240\n", "line 1: all numbers must be finite"),
        ("a.jpg SIMPLE_PINHOLE 640 480 0 320 240\n", "line 1: focal length"),
        ("a.jpg SIMPLE_PINHOLE 0 480 500 320 240\n", "line 1: Camera: size must be positive"),
        ("a.jpg SIMPLE_PINHOLE -640 480 500 320 240\n", "line 1: Camera: size must be positive"),
        ("a.jpg SIMPLE_PINHOLE 640.5 480 500 320 240\n", "line 1: width and height are whole"),
        ("a PINHOLE 6 4 5 5 3 2\na PINHOLE 6 4 5 5 3 2\n", "line 2: 'a' is listed twice"),
    ],
)
def test_bad_query_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_queries(written(text, tmp_path))


def test_query_lines_may_be_separated_by_tabs(tmp_path: Path) -> None:
    path = written("my photo.jpg\tSIMPLE_PINHOLE\t640\t480\t500\t320\t240\n", tmp_path)
    camera = read_queries(path)["my photo.jpg"]
    assert isinstance(camera, Camera)
    np.testing.assert_array_equal(camera.params, [500, 320, 240])


def test_image_lists_keep_order_and_drop_repetitions(tmp_path: Path) -> None:
    path = written("\ufeffb c.jpg\n# x\n\nä.jpg\nb c.jpg\n", tmp_path)
    assert read_image_list(path) == ["b c.jpg", "ä.jpg"]
    path.write_text("./x/a.jpg\nx/a.jpg\nx//b.jpg\n")
    assert read_image_list(path) == ["x/a.jpg", "x/b.jpg"]


def test_pairs_of_names_with_spaces(tmp_path: Path) -> None:
    known = ["a b.jpg", "c.jpg", "d  e.jpg"]
    path = written("a b.jpg c.jpg\nc.jpg\td  e.jpg\nd  e.jpg a b.jpg\n", tmp_path)
    assert read_pairs(path, known) == [
        ("a b.jpg", "c.jpg"),
        ("c.jpg", "d  e.jpg"),
        ("d  e.jpg", "a b.jpg"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x y z", "line 1: .*may be split in several ways"),
        ("x x", "line 1: expected two different names"),
        ("x", "line 1: expected two different names"),
        ("x unknown", "line 1: expected two different names"),
    ],
)
def test_bad_pairs_are_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_pairs(written(line, tmp_path), ["x", "x y", "y z", "z"])


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\rb", "#a", "a\u3000"])
def test_names_that_a_line_cannot_store_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    with pytest.raises(FormatError, match="cannot hold the name"):
        write_poses(path, {"good": Rigid3.identity(), name: Rigid3.identity()})
    assert not path.exists()
    with pytest.raises(FormatError, match="cannot hold the name"):
        check_names([name])


def test_names_are_normalized_in_all_lists(tmp_path: Path) -> None:
    pose = "1 0 0 0 0 0 0"
    assert [*read_poses(written(f"./x//a.jpg {pose}", tmp_path))] == ["x/a.jpg"]
    assert [*read_queries(written("./x/./a.jpg SIMPLE_PINHOLE 9 9 9 4 4", tmp_path))] == ["x/a.jpg"]
    assert read_image_list(written("./x/a.jpg\nx/a.jpg", tmp_path)) == ["x/a.jpg"]
    names = ["x/a.jpg", "b.jpg"]
    assert read_pairs(written("./x/a.jpg ./b.jpg", tmp_path), names) == [("x/a.jpg", "b.jpg")]
    with pytest.raises(FormatError, match=r"'a.jpg' is listed twice"):
        read_poses(written(f"a.jpg {pose}\n./a.jpg {pose}", tmp_path))


@pytest.mark.parametrize(
    "read", [read_poses, read_queries, read_image_list, lambda path: read_pairs(path, ["a", "b"])]
)
def test_nul_bytes_are_named(read, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 2: expected text, got NUL"):
        read(written("# list\na\0b c\n", tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "here: expected 'MODEL W H params"),
        ("640 480 500", "here: expected 'MODEL W H params"),
        ("PINHOLE 640 480 500", "here: expected 'PINHOLE W H fx fy cx cy', got 'PINHOLE 640"),
        ("SIMPLE_PINHOLE 640 480 nan 320 240", "here: all numbers must be finite"),
    ],
)
def test_a_camera_without_a_name_is_parsed_alike(text: str, message: str) -> None:
    camera = parse_camera(" SIMPLE_PINHOLE 640 480 500 320 240\n", "here")
    assert (camera.model, camera.width, camera.params[0]) == ("SIMPLE_PINHOLE", 640, 500)
    with pytest.raises(FormatError, match=message):
        parse_camera(text, "here")


def test_repeated_names_of_an_image_list_are_warned_of(tmp_path: Path, caplog) -> None:
    (tmp_path / "list.txt").write_text("b.jpg\na.jpg\n./b.jpg\n", encoding="utf-8")
    assert read_image_list(tmp_path / "list.txt") == ["b.jpg", "a.jpg"]
    assert "1 names are listed more than once, first 'b.jpg'" in caplog.text
