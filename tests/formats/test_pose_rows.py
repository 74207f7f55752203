"""Many poses at once are those that are made one by one, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_rows import NumberRows, poses_from_matrices, poses_from_quats
from hloc_lite.formats.pose_text import pose_from_matrix, pose_from_quat


def where(row: int) -> str:
    return f"row {row}"


def walk(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Quaternions wxyz that are off unit length by up to 4 %, and translations."""
    rng = np.random.default_rng(seed)
    quats = Rotation.random(count, random_state=seed).as_quat().reshape(-1, 4)
    return quats * rng.uniform(0.96, 1.04, (count, 1)), rng.normal(0, 100, (count, 3))


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_quaternions_at_once_are_those_one_by_one(seed: int, count: int) -> None:
    quats, translations = walk(seed, count)
    for row, pose in enumerate(poses_from_quats(quats, translations, where)):
        alone = pose_from_quat(quats[row].tolist(), translations[row].tolist(), "")
        np.testing.assert_array_equal(pose.matrix, alone.matrix)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.booleans())
def test_matrices_at_once_are_those_one_by_one(seed: int, count: int, has_last_row: bool) -> None:
    quats, translations = walk(seed, count)
    rounded = np.round(Rotation.from_quat(quats).as_matrix(), 4)
    matrices = np.concatenate([rounded, translations[..., None]], axis=2)
    if has_last_row:
        last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (count, 1, 4))
        matrices = np.concatenate([matrices, last], axis=1)
    for row, pose in enumerate(poses_from_matrices(matrices, where)):
        np.testing.assert_array_equal(pose.matrix, pose_from_matrix(matrices[row], "").matrix)


def test_no_rows_are_no_poses() -> None:
    assert poses_from_quats(np.zeros((0, 4)), np.zeros((0, 3)), where) == []
    assert poses_from_matrices(np.zeros((0, 3, 4)), where) == []


@pytest.mark.parametrize(
    ("quat", "translation", "message"),
    [
        ([0, 0, 0, 0], [0, 0, 0], "row 2: a quaternion needs"),
        ([1, 1, 0, 0], [0, 0, 0], "row 2: .*not a unit quaternion"),
        ([1e200, 0, 0, 0], [0, 0, 0], "row 2: .*not a unit quaternion"),
        ([1, 0, 0, 0], [0, 1e19, 0], "row 2: expected finite coordinates"),
    ],
)
def test_bad_quaternions_are_named_by_their_row(
    quat: list[float], translation: list[float], message: str
) -> None:
    quats, translations = walk(0, 4)
    quats[2], translations[2] = quat, translation
    with pytest.raises(FormatError, match=message):
        poses_from_quats(quats, translations, where)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (np.diag([1.0, 1, -1, 1]), "row 1: the left 3 x 3 numbers are no rotation"),
        (np.diag([2.0, 1, 1, 1]), "row 1: the left 3 x 3 numbers are no rotation"),
        (np.diag([1.0, 1, 1, 2]), "row 1: expected a last row 0 0 0 1"),
        (np.eye(4)[[0, 1, 2, 2]], "row 1: expected a last row 0 0 0 1"),
    ],
)
def test_bad_matrices_are_named_by_their_row(changed: np.ndarray, message: str) -> None:
    matrices = np.stack([np.eye(4), changed, np.eye(4)])
    with pytest.raises(FormatError, match=message):
        poses_from_matrices(matrices, where)


def test_rows_know_the_lines_that_they_are_from() -> None:
    rows = NumberRows(Path("poses.txt"), 2)
    rows.add(3, ["1", "2.5"])
    rows.add(7, ["-1", "1e3"])
    np.testing.assert_array_equal(rows.table, [[1, 2.5], [-1, 1000]])
    assert rows.where(1) == "poses.txt, line 7"
    with pytest.raises(FormatError, match="line 8: all numbers must be finite"):
        rows.add(8, ["1", "nan"])
