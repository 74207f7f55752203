"""Lines of numbers in text files, and the poses made of them: checks that many formats share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError
from hloc_lite.geometry.rotations import check_unit_quaternion, rotation_from_quat_wxyz
from hloc_lite.io.files import text_lines
from hloc_lite.io.image_names import leads_out, normalize_name
from hloc_lite.types import Float64, Rigid3

MAX_ROTATION_ERROR = 5e-3
"""Largest error of R R^T of a rotation matrix in a file: three decimals give 0.002."""
MAX_DISTANCE = 1e12
"""Larger coordinates are refused: they are no lengths, and overflow when poses are inverted."""
_MIN_POSES = 10
_MUCH_SHORTER = 0.5


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


def pose_from_quat(quat_wxyz: Sequence[float], translation: Sequence[float], where: str) -> Rigid3:
    """Return ``a_from_b`` of a unit quaternion and a translation from a file.

    Raises:
        FormatError: a quaternion whose length is not 1, or a translation that is not finite.
    """
    try:
        rotation = rotation_from_quat_wxyz(quat_wxyz)
        check_unit_quaternion(quat_wxyz)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
    return Rigid3(rotation, _checked_translation(translation, where))


def pose_from_matrix(values: npt.ArrayLike, where: str) -> Rigid3:
    """Return ``a_from_b`` of the 12 or 16 numbers of a row-major matrix [R | t] from a file.

    Rounded rotations are replaced by the nearest rotation.

    Raises:
        FormatError: another count, a last row other than 0 0 0 1, or a left part that is no
            rotation.
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
    return Rigid3(_nearest_rotation(matrix[:, :3][:3], where), _checked_translation(
        matrix[:3, 3].tolist(), where
    ))  # fmt: skip


def matrix_text(a_from_b: Rigid3) -> str:
    """Four lines of four numbers, the homogeneous matrix, in full precision."""
    return "".join(number_text(row) + "\n" for row in a_from_b.matrix)


def direction_notes(
    worlds_from_cam: Sequence[Rigid3], what: str, *, other: str = "cam_from_world"
) -> tuple[str, ...]:
    """Warn if poses in order of time move much less when read as cam_from_world.

    Cameras move steadily, so the right reading mostly has the shorter path. Cameras that circle
    the origin are an exception: it is a hint only.

    Args:
        worlds_from_cam: world_from_cam in order of time.
        what: what the poses are from, for the sentence.
        other: the other reading of the file, for the sentence.

    Returns:
        One sentence, or nothing.
    """
    if len(worlds_from_cam) < _MIN_POSES:
        return ()
    rotations = np.array([pose.rotation for pose in worlds_from_cam])
    positions = np.array([pose.translation for pose in worlds_from_cam])
    others = -np.einsum("nji,nj->ni", rotations, positions)
    length, other_length = _path_length(positions), _path_length(others)
    if other_length >= _MUCH_SHORTER * length:
        return ()
    return (
        f"{what}: the path of the camera is {length:.4g} long, but {other_length:.4g} if the poses "
        f"were {other}: check the direction of the poses",
    )


def _path_length(positions: Float64) -> float:
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


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


def _checked_translation(translation: Sequence[float], where: str) -> Float64:
    values = np.array(translation, np.float64)
    if not (np.isfinite(values).all() and (np.abs(values) <= MAX_DISTANCE).all()):
        raise FormatError(f"{where}: expected finite coordinates, got {values}")
    return values
