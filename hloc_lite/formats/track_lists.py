"""Points with their image measurements, in the text layout that NVM and Bundler files share.

One point is ``X Y Z  R G B  n`` and n times ``image feature x y``; Bundler spreads it over three
lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import finite_numbers
from hloc_lite.types import Float64, Int64, UInt8, freeze_field

NumberedLine = tuple[int, str]
"""Line number, from 1, and the line without spaces around it."""
_CHUNK = 20_000
"""Lines converted at once: their words would otherwise take 3 GB for a large model."""
MAX_NUMBER = 1e15
"""Larger numbers in a model file are damage; they would overflow when squared."""
_HEAD = 7
"""Numbers of a point in front of its measurements."""


@dataclass(frozen=True, eq=False)
class NumberList:
    """All numbers of consecutive lines."""

    values: Float64
    """(N,) finite."""
    ends: Int64
    """(L,) count of numbers up to the end of each line."""
    line_numbers: Int64
    """(L,) from 1."""
    path: str

    def where(self, index: int) -> str:
        """File and line of a number, for errors."""
        row = int(np.searchsorted(self.ends, index, side="right"))
        return f"{self.path}, line {self.line_numbers[min(row, len(self.ends) - 1)]}"


@dataclass(frozen=True, eq=False)
class Tracks:
    """M points, and K measurements of them in the images of a file."""

    xyz: Float64
    """(M, 3)."""
    rgb: UInt8
    """(M, 3)."""
    point_rows: Int64
    """(K,) point of each measurement."""
    image_rows: Int64
    """(K,) image of each measurement, by its position in the file."""
    features: Int64
    """(K,) index of the keypoint in its image."""
    xy: Float64
    """(K, 2) as in the file."""

    def __post_init__(self) -> None:
        freeze_field(self, "xyz", np.float64, None, 3)
        freeze_field(self, "rgb", np.uint8, len(self.xyz), 3)
        freeze_field(self, "point_rows", np.int64, None)
        k = len(self.point_rows)
        freeze_field(self, "image_rows", np.int64, k)
        freeze_field(self, "features", np.int64, k)
        freeze_field(self, "xy", np.float64, k, 2)


def parse_numbers(path: str, lines: Sequence[NumberedLine]) -> NumberList:
    """Numbers of lines that contain nothing else.

    Raises:
        FormatError: another word, or a number that is not finite; with its line.
    """
    values: list[Float64] = []
    counts: list[int] = []
    for start in range(0, len(lines), _CHUNK):
        chunk = [line.split() for _, line in lines[start : start + _CHUNK]]
        counts += map(len, chunk)
        try:
            words = chain.from_iterable(chunk)
            values.append(np.fromiter(map(float, words), np.float64, sum(map(len, chunk))))
        except ValueError:
            raise _first_bad(path, lines[start : start + _CHUNK]) from None
    numbers = NumberList(
        np.concatenate(values) if values else np.zeros(0),
        np.cumsum(counts, dtype=np.int64),
        np.array([number for number, _ in lines], np.int64),
        path,
    )
    bad = np.flatnonzero(~(np.abs(numbers.values) <= MAX_NUMBER))
    if len(bad):
        value = numbers.values[bad[0]]
        raise FormatError(f"{numbers.where(int(bad[0]))}: numbers must be finite, got {value:g}")
    return numbers


def bounded_numbers(words: Sequence[str], where: str) -> list[float]:
    """Numbers of one line.

    Raises:
        FormatError: another word, or a number that is not finite or too large.
    """
    values = finite_numbers(words, where)
    if any(abs(value) > MAX_NUMBER for value in values):
        raise FormatError(f"{where}: too large numbers: {' '.join(words)[:200]}")
    return values


def content_lines(text: str) -> list[NumberedLine]:
    """Lines that are not empty."""
    # not splitlines(): it also splits at characters that names may contain (such as U+2028)
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in stripped if line]


def parse_count(text: str, where: str, what: str, limit: int) -> int:
    """Count in a header, checked against what the rest of the file can hold.

    Raises:
        FormatError: not a whole number from 0 to ``limit``.
    """
    # int() would accept underscores, and refuses 5000 digits with another error
    if not (text.isascii() and text.isdigit()):
        raise FormatError(f"{where}: expected the number of {what}, got {text[:80]!r}")
    if len(text) > 18 or int(text) > limit:
        raise FormatError(
            f"{where}: {text[:20]} {what} are announced, but the rest of the file holds at most "
            f"{limit}: it is cut off or damaged"
        )
    return int(text)


def parse_tracks(numbers: NumberList, start: int, num_points: int, num_images: int) -> Tracks:
    """Points and measurements from the ``start``-th number on, up to the last number.

    Raises:
        FormatError: fewer or more numbers than announced, a colour or image index out of range, or
            an index that is not whole.
    """
    values = numbers.values
    heads, counts = _point_starts(numbers, start, num_points)
    rows = np.repeat(np.arange(num_points), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    firsts = heads[rows] + _HEAD + 4 * within
    indices = values[firsts[:, None] + np.arange(2)]
    wrong = (indices != np.floor(indices)) | (indices < -1) | (indices >= 2**53)
    wrong[:, 0] |= (indices[:, 0] < 0) | (indices[:, 0] >= num_images)
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        image, feature = indices[row].tolist()
        raise FormatError(
            f"{numbers.where(int(firsts[row]))}: expected an image from 0 to {num_images - 1} and "
            f"a keypoint index, got {image:g} and {feature:g}"
        )
    rgb = values[heads[:, None] + np.arange(3, 6)]
    if ((rgb < 0) | (rgb > 255)).any():
        row = int(np.flatnonzero(((rgb < 0) | (rgb > 255)).any(axis=1))[0])
        raise FormatError(
            f"{numbers.where(int(heads[row]) + 3)}: expected a colour in 0..255, got "
            f"{rgb[row].tolist()}"
        )
    return Tracks(
        values[heads[:, None] + np.arange(3)],
        rgb.astype(np.uint8),
        rows,
        indices[:, 0].astype(np.int64),
        indices[:, 1].astype(np.int64),
        values[firsts[:, None] + np.arange(2, 4)],
    )


def _point_starts(numbers: NumberList, start: int, num_points: int) -> tuple[Int64, Int64]:
    """Index of the first number, and count of measurements, of each point."""
    total = len(numbers.values)
    if num_points > (total - start) // _HEAD:
        raise FormatError(
            f"{numbers.path}: expected {num_points} points, the numbers that follow are enough for "
            f"{max(total - start, 0) // _HEAD} at most: it is cut off or damaged"
        )
    heads, counts = np.zeros(num_points, np.int64), np.zeros(num_points, np.int64)
    position = start
    for row in range(num_points):
        count = float(numbers.values[position + 6]) if position + _HEAD <= total else -1.0
        left = (total - position - _HEAD) // 4
        if not (count.is_integer() and 0 <= count <= left):
            where = numbers.where(min(position + 6, total - 1))
            raise FormatError(
                f"{where}: point {row + 1} of {num_points} is cut off or damaged: expected X Y Z "
                f"R G B, a number of measurements, and four numbers for each of them"
            )
        heads[row], counts[row] = position, count
        position += _HEAD + 4 * int(count)
    if position != total:
        raise FormatError(
            f"{numbers.where(position)}: expected the end after {num_points} points, got more "
            f"numbers"
        )
    return heads, counts


def _first_bad(path: str, lines: Sequence[NumberedLine]) -> FormatError:
    for number, line in lines:
        for word in line.split():
            try:
                float(word)
            except ValueError:
                return FormatError(f"{path}, line {number}: expected numbers, got {word[:40]!r}")
    return FormatError(f"{path}: expected numbers only")
