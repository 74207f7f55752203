"""Poses of files with many of them: rows of numbers are collected and converted at once.

One by one, libraries for rotations take some 50 times as long. The values are the same to the bit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.formats.pose_text import (
    MAX_ROTATION_ERROR,
    finite_numbers,
    pose_from_matrix,
    pose_from_quat,
)
from hloc_lite.geometry.rotations import MAX_LENGTH_ERROR, rotations_from_unit_quats
from hloc_lite.io.number_range import MAX_NUMBER
from hloc_lite.types import Bool, Float64, Rigid3

_CHECK_MARGIN = 0.99
"""Share of a limit above which a row is checked by itself, as rounding differs between the two."""


class NumberRows:
    """Rows of as many finite numbers, from lines of a text file."""

    def __init__(self, path: Path, columns: int) -> None:
        self.path, self._columns = path, columns
        self._values, self._lines = array("d"), array("q")

    def add(self, line_number: int, words: Sequence[str]) -> None:
        """Add the words of a line, as many as there are columns.

        Raises:
            FormatError: a word that is no number, or not finite.
        """
        self._values.extend(finite_numbers(words, f"{self.path}, line {line_number}"))
        self._lines.append(line_number)

    def where(self, row: int) -> str:
        """File and line of a row, for errors."""
        return f"{self.path}, line {self._lines[row]}"

    @property
    def table(self) -> Float64:
        """(N, columns) numbers."""
        return np.array(self._values, np.float64).reshape(-1, self._columns)


def poses_from_quats(
    quats_wxyz: Float64,
    translations: Float64,
    where: Callable[[int], str],
) -> list[Rigid3]:
    """``a_from_b`` of N unit quaternions and translations, as ``pose_from_quat`` makes each.

    Args:
        quats_wxyz: (N, 4) finite.
        translations: (N, 3) finite.
        where: row -> place in the file, for errors.

    Raises:
        FormatError: see ``pose_from_quat``, for the first bad row.
    """
    with np.errstate(over="ignore"):
        errors = np.abs(np.linalg.norm(quats_wxyz, axis=1) - 1)
    is_far: Bool = np.abs(translations).max(axis=1, initial=0) > MAX_NUMBER
    for row in np.flatnonzero(_is_doubtful(errors, MAX_LENGTH_ERROR) | is_far).tolist():
        far = translations[row] if is_far[row] else np.zeros(3)
        pose_from_quat(quats_wxyz[row].tolist(), far.tolist(), where(row))
    rotations = rotations_from_unit_quats(quats_wxyz)
    return _rigid(rotations, np.ascontiguousarray(translations))


def poses_from_matrices(matrices: Float64, where: Callable[[int], str]) -> list[Rigid3]:
    """``a_from_b`` of finite (N, 3, 4) or (N, 4, 4), as ``pose_from_matrix`` makes each.

    Raises:
        FormatError: see ``pose_from_matrix``, for the first bad row.
    """
    linear, translations = matrices[:, :3, :3], matrices[:, :3, 3].copy()
    last_errors = np.abs(matrices[:, 3:] - np.eye(4)[3 : matrices.shape[1]])
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(linear @ linear.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        is_mirrored = ~(np.linalg.det(linear) > 0)
    is_far = ~(np.abs(translations) <= MAX_NUMBER).all(axis=1)
    doubtful = _is_doubtful(errors, MAX_ROTATION_ERROR) | is_mirrored | is_far
    doubtful |= last_errors.any(axis=(1, 2))
    for row in np.flatnonzero(doubtful).tolist():
        pose_from_matrix(matrices[row], where(row))
    left, _, right = np.linalg.svd(linear)
    return _rigid(left @ right, translations)


def _is_doubtful(errors: Float64, limit: float) -> Bool:
    return ~(errors <= _CHECK_MARGIN * limit)


def _rigid(rotations: Float64, translations: Float64) -> list[Rigid3]:
    return [Rigid3(*pair) for pair in zip(rotations, translations, strict=True)]
