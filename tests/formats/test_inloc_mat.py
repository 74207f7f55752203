"""InLoc's ``ImgList``: written and read back; files of others; damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from hloc_lite.errors import FormatError
from hloc_lite.formats.submissions.inloc_mat import (
    RankedPose,
    RankedPoses,
    read_img_list,
    write_img_list,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Rigid3

POSE = Rigid3(exp_so3([0.2, -1.0, 0.4]), np.array([1.0, -2.0, 30.0]))
ANGLE = st.floats(-3, 3)
RANKED = st.builds(
    RankedPose,
    st.from_regex(r"DUC[12]/[0-9]{3}/DUC_cutout_[0-9]{3}_[0-9]{1,3}_-?30\.jpg", fullmatch=True),
    st.floats(-1e6, 1e6),
    st.none()
    | st.builds(
        lambda turn, move: Rigid3(exp_so3(turn), np.array(move)),
        st.tuples(ANGLE, ANGLE, ANGLE),
        st.tuples(*3 * [st.floats(-1e3, 1e3)]),
    ),
)


@given(st.lists(st.lists(RANKED, max_size=3), max_size=3))
def test_lists_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, queries: list[list[RankedPose]]
) -> None:
    path = tmp_path_factory.mktemp("mat") / "submission.mat"
    given_lists = [RankedPoses(f"IMG_{i}.JPG", tuple(each)) for i, each in enumerate(queries)]
    write_img_list(path, given_lists)
    found = read_img_list(path)
    assert [each.query for each in found] == [each.query for each in given_lists]
    for a, b in zip(found, given_lists, strict=True):
        assert [(e.cutout, e.score) for e in a.ranked] == [(e.cutout, e.score) for e in b.ranked]
        for one, other in zip(a.ranked, b.ranked, strict=True):
            assert (one.cam_from_floor is None) == (other.cam_from_floor is None)
            if one.cam_from_floor is not None and other.cam_from_floor is not None:
                np.testing.assert_allclose(
                    one.cam_from_floor.matrix, other.cam_from_floor.matrix, atol=1e-9
                )


def test_the_layout_is_that_of_the_authors(tmp_path: Path) -> None:
    """``ImgList(1).P{1}`` is 3 x 4 and maps points of the floor to the camera."""
    path = tmp_path / "a.mat"
    write_img_list(path, [RankedPoses("IMG_0731.JPG", (RankedPose("DUC1/024/a.jpg", 7.0, POSE),))])
    (entry,) = loadmat(path)["ImgList"].ravel()
    assert entry["queryname"].tolist() == ["IMG_0731.JPG"]
    assert entry["topNname"].shape == entry["P"].shape == entry["topNscore"].shape == (1, 1)
    assert entry["topNname"][0, 0].tolist() == ["DUC1/024/a.jpg"]
    point = np.array([3.0, 1.0, 2.0])
    np.testing.assert_allclose(entry["P"][0, 0] @ np.append(point, 1), POSE.apply(point))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(FormatError, match="cannot read"):
        read_img_list(path)
    for values, reason in (
        ({"other": np.eye(3)}, "expected the variable 'ImgList', got other"),
        ({"ImgList": np.eye(3)}, "without queryname"),
        ({"ImgList": _entry("../a.jpg", ["b.jpg"], [1.0], [POSE.matrix])}, "leaves the image"),
        ({"ImgList": _entry("a.jpg", ["b.jpg"], [1.0, 2.0], [POSE.matrix])}, "2 scores"),
        ({"ImgList": _entry("a.jpg", ["b.jpg"], [1.0], [np.eye(3)])}, "matrix P of 3 x 4"),
        ({"ImgList": _entry("a.jpg", ["b.jpg"], [1.0], [2 * POSE.matrix])}, "a.jpg"),
        ({"ImgList": _entry("a.jpg", ["b.jpg"], [1.0], [np.full((3, 4), np.inf)])}, "a.jpg"),
    ):
        savemat(path, values)
        with pytest.raises(FormatError, match=reason):
            read_img_list(path)
    savemat(path, {"ImgList": _entry("a.jpg", ["b.jpg"], [1.0], [POSE.matrix])})
    (found,) = read_img_list(path)
    assert found.ranked[0].cam_from_floor is not None
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FormatError):
        read_img_list(path)


def _entry(
    query: str, names: list[str], scores: list[float], matrices: list[np.ndarray]
) -> np.ndarray:
    fields = ("queryname", "topNname", "topNscore", "P")
    rows = np.empty((1, 1), [(field, object) for field in fields])
    name_cell, matrix_cell = (np.empty((1, len(names)), object) for _ in range(2))
    for index, (name, matrix) in enumerate(zip(names, matrices, strict=True)):
        name_cell[0, index], matrix_cell[0, index] = name, matrix
    rows[0, 0] = (query, name_cell, np.array([scores]), matrix_cell)
    return rows
