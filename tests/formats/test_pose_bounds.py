"""One bound for the coordinates of poses, whichever file they come from."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.formats.kapture.trajectories import read_trajectories
from hloc_lite.formats.kitti import read_kitti_poses
from hloc_lite.formats.rio10 import read_rio10_poses
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import FindingKind
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.trajectories import read_tum
from hloc_lite.io.number_range import MAX_NUMBER

Write = Callable[[Path, float], None]
"""Writes a file with one pose whose x is the given number."""


def _text(line: str) -> Write:
    return lambda path, x: path.write_text(line.format(x=x)) and None


def _colmap(path: Path, x: float) -> None:
    path.mkdir()
    (path / "cameras.txt").write_text("1 SIMPLE_PINHOLE 64 48 50 32 24\n")
    (path / "images.txt").write_text(f"1 1 0 0 0 {x} 0 0 1 a.jpg\n\n")
    (path / "points3D.txt").write_text("")


def _log(path: Path, x: float) -> None:
    answer = {
        "success": True, "qvec": np.array([1.0, 0, 0, 0]), "tvec": np.array([x, 0, 0]),
        "num_inliers": 1, "inliers": [True],
    }  # fmt: skip
    entry = {
        "db": [1], "PnP_ret": answer, "keypoints_query": np.ones((1, 2), np.float32),
        "points3D_xyz": None, "points3D_ids": [np.uint64(7)], "num_matches": np.int64(1),
    }  # fmt: skip
    log = {"features": "f.h5", "matches": "m.h5", "loc": {"q.jpg": entry}}
    path.write_bytes(pickle.dumps(log, 4))


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (_text("a.jpg 1 0 0 0 {x} 0 0\n"), read_poses),
        (_text("1 {x} 0 0 0 0 0 1\n"), read_tum),
        (_text("1 0 0 {x} 0 1 0 0 0 0 1 0\n"), read_kitti_poses),
        (_text("seq01_02/frame-000000 1 0 0 0 {x} 0 0\n"), read_rio10_poses),
        (_text("# kapture format: 1.1\n0, cam, 1, 0, 0, 0, {x}, 0, 0\n"), read_trajectories),
        (_text("0, cam, , , , , {x}, 0, 0\n"), read_trajectories),
        (_colmap, read_model),
        (_log, read_log),
    ],
    ids=[
        "hloc", "TUM", "KITTI", "RIO10", "kapture", "kapture position", "COLMAP", "hloc log",
    ],
)  # fmt: skip
def test_coordinates_are_bounded(
    write: Write, read: Callable[[Path], object], tmp_path: Path
) -> None:
    write(tmp_path / "right", 0.9 * MAX_NUMBER)
    read(tmp_path / "right")
    for number, x in enumerate((1.1 * MAX_NUMBER, -1e300)):
        write(tmp_path / str(number), x)
        with pytest.raises(FormatError, match="expected finite coordinates of at most 1e"):
            read(tmp_path / str(number))


def test_a_submission_with_such_a_pose_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("a.jpg 1 0 0 0 1 2 3\nb.jpg 1 0 0 0 1e300 2 3\n")
    findings = check_submission(path, submission_form("aachen"))
    (found,) = [each for each in findings if each.kind is FindingKind.NOT_FINITE]
    assert found.lines == (2,)
