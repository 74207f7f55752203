"""Lines of numbers in text files, and the poses made of them: checks that many formats share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError
from hloc_lite.geometry.rotations import (
    check_unit_quaternion,
    quat_wxyz_from_rotation,
    rotation_from_quat_wxyz,
)
from hloc_lite.io.files import text_lines
from hloc_lite.io.image_names import leads_out, normalize_name
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.types import Float64, Rigid3

MAX_ROTATION_ERROR = 5e-3
"""Largest error of R R^T of a rotation matrix in a file: three decimals give 0.002."""


def content_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Stripped lines of a text file with their numbers, from 1, read as they are asked for.

    Empty lines and lines that start with '#' are left out.

    Raises:
        FormatError: unreadable, not UTF-8, or a line with NUL bytes.
    """
    for number, raw in enumerate(text_lines(path), start=1):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        if "\0" in line:  # not possible in file names, and Python's file functions fail on it
            raise FormatError(
                f"{path}, line {number}: expected text, got NUL bytes: it is damaged or binary"
            )
        yield number, line


def finite_numbers(words: Sequence[str], where: str) -> list[float]:
    """Parse words as finite numbers; ``where`` tells in errors where they are from.

    Raises:
        FormatError: a word that is no number, or not finite.
    """
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {str(error)[:200]}") from None
    if not all(map(math.isfinite, values)):
        raise FormatError(f"{where}: all numbers must be finite, got {' '.join(words)[:200]}")
    return values


def whole_number(word: str, where: str, *, least: int = 0, most: int = 10**9) -> int:
    """Parse a decimal whole number within limits.

    Raises:
        FormatError: another text, or outside the limits.
    """
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise FormatError(f"{where}: expected a whole number, got {word[:80]!r}")
    if not least <= int(word) <= most:
        raise FormatError(f"{where}: expected a number from {least} to {most}, got {word}")
    return int(word)


def number_text(values: Iterable[float], separator: str = " ") -> str:
    """Numbers as the shortest text that gives exactly the same floats again."""
    return separator.join(repr(float(value)) for value in values)


def pose_numbers(a_from_b: Rigid3, separator: str = " ") -> str:
    """``qw qx qy qz tx ty tz`` with full precision, qw >= 0."""
    values = [*quat_wxyz_from_rotation(a_from_b.rotation), *a_from_b.translation]
    return number_text(values, separator)


def image_name(name: str, where: str) -> str:
    """Return an image name in normal form (``a`` for ``./a``).

    Raises:
        FormatError: the name leads out of the image folder.
    """
    if leads_out(name):
        raise FormatError(
            f"{where}: image name {name[:200]!r} leaves the image folder; names are relative"
        )
    return normalize_name(name)


def pose_from_quat(quat_wxyz: npt.ArrayLike, translation: npt.ArrayLike, where: str) -> Rigid3:
    """Return ``a_from_b`` of a unit quaternion and a translation from a file.

    Raises:
        FormatError: not 4 and 3 numbers, a quaternion whose length is not 1, or a translation that
            ``check_translation`` refuses.
    """
    return Rigid3(rotation_from_unit_quat(quat_wxyz, where), check_translation(translation, where))


def rotation_from_unit_quat(quat_wxyz: npt.ArrayLike, where: str) -> Float64:
    """(3, 3) rotation of a (4,) unit quaternion from a file.

    Raises:
        FormatError: not four finite numbers, or a length that is not 1.
    """
    try:
        rotation = rotation_from_quat_wxyz(quat_wxyz)
        check_unit_quaternion(quat_wxyz)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
    return rotation


def check_translation(translation: npt.ArrayLike, where: str) -> Float64:
    """(3,) translation or position from a file, if it can be one.

    Raises:
        FormatError: not three numbers, not finite, or farther than ``MAX_NUMBER``.
    """
    values = np.asarray(translation, np.float64)
    if values.shape != (3,):
        raise FormatError(f"{where}: expected three coordinates, got {values}")
    if not in_range(values):
        raise FormatError(
            f"{where}: expected finite coordinates of at most {MAX_NUMBER:g}, got {values}: the "
            f"number is damaged, or the columns are in another order"
        )
    return values


def pose_from_matrix(values: npt.ArrayLike, where: str) -> Rigid3:
    """Return ``a_from_b`` of the 12 or 16 numbers of a row-major matrix [R | t] from a file.

    Rounded rotations are replaced by the nearest rotation.

    Raises:
        FormatError: another count, a last row other than 0 0 0 1, a left part that is no
            rotation, or a translation that ``check_translation`` refuses.
    """
    numbers = np.asarray(values, np.float64).ravel()
    if numbers.size not in (12, 16):
        raise FormatError(
            f"{where}: expected a matrix of 3 or 4 rows of 4 numbers, got {numbers.size} numbers"
        )
    matrix = numbers.reshape(-1, 4)
    last_row = np.eye(4)[3 : len(matrix)]
    if not np.allclose(matrix[3:], last_row, rtol=0, atol=1e-6):
        is_transposed = np.allclose(matrix[:, 3], [0, 0, 0, 1], rtol=0, atol=1e-6)
        hint = ": the matrix is stored by columns" if is_transposed else ""
        raise FormatError(f"{where}: expected a last row 0 0 0 1, got {matrix[3]}{hint}")
    rotation = _nearest_rotation(matrix[:3, :3], where)
    return Rigid3(rotation, check_translation(matrix[:3, 3], where))


def matrix_text(a_from_b: Rigid3) -> str:
    """Four lines of four numbers, the homogeneous matrix, in full precision."""
    return "".join(number_text(row) + "\n" for row in a_from_b.matrix)


def _nearest_rotation(matrix: Float64, where: str) -> Float64:
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if not error <= MAX_ROTATION_ERROR or np.linalg.det(matrix) < 0:
        raise FormatError(
            f"{where}: the left 3 x 3 numbers are no rotation: "
            f"{np.array2string(matrix, precision=4).replace(chr(10), '')}"
        )
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right, np.float64)
