"""Points with their image measurements, in the text layout that NVM and Bundler files share.

One point is ``X Y Z  R G B  n`` and n times ``image feature x y``; Bundler spreads it over three
lines.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import finite_numbers
from hloc_lite.types import Float64, Int32, Int64, UInt8, freeze_field

NumberedLine = tuple[int, str]
"""Line number, from 1, and the line without spaces around it."""
_CHUNK = 20_000
"""Lines, and points, converted at once: all words would take 3 GB for a large model."""
MAX_NUMBER = 1e15
"""Larger numbers in a model file are damage; they would overflow when squared."""
_HEAD = 7
"""Numbers of a point in front of its measurements."""


@dataclass(frozen=True, eq=False)
class NumberList:
    """All numbers of consecutive lines."""

    values: Float64
    """(N,) finite."""
    counts: Int32
    """(L,) numbers of each line."""
    line_numbers: Int32
    """(L,) from 1."""
    path: str

    def where(self, index: int) -> str:
        """File and line of a number, for errors; it takes as long as there are lines."""
        ends = np.cumsum(self.counts, dtype=np.int64)
        row = int(np.searchsorted(ends, index, side="right"))
        return f"{self.path}, line {self.line_numbers[min(row, len(ends) - 1)]}"


@dataclass(frozen=True, eq=False)
class Tracks:
    """M points, and K measurements of them in the images of a file."""

    xyz: Float64
    """(M, 3)."""
    rgb: UInt8
    """(M, 3)."""
    point_rows: Int32
    """(K,) point of each measurement."""
    image_rows: Int32
    """(K,) image of each measurement, by its position in the file."""
    features: Int64
    """(K,) index of the keypoint in its image."""
    xy: Float64
    """(K, 2) as in the file."""

    def __post_init__(self) -> None:
        freeze_field(self, "xyz", np.float64, None, 3)
        freeze_field(self, "rgb", np.uint8, len(self.xyz), 3)
        freeze_field(self, "point_rows", np.int32, None)
        k = len(self.point_rows)
        freeze_field(self, "image_rows", np.int32, k)
        freeze_field(self, "features", np.int64, k)
        freeze_field(self, "xy", np.float64, k, 2)


def parse_numbers(path: str, lines: Iterable[NumberedLine]) -> NumberList:
    """Numbers of lines that contain nothing else; only some lines are in memory at a time.

    Raises:
        FormatError: another word, or a number that is not finite; with its line.
    """
    values, counts, line_numbers = array("d"), array("i"), array("i")  # they grow in place
    remaining = iter(lines)
    while chunk := list(islice(remaining, _CHUNK)):
        words = [line.split() for _, line in chunk]
        try:
            found = array("d", map(float, chain.from_iterable(words)))
        except ValueError:
            raise _first_bad(path, chunk) from None
        if not np.abs(np.frombuffer(found)).max() <= MAX_NUMBER:  # also if it is NaN
            raise _first_bad(path, chunk)
        values.extend(found)
        counts.extend(map(len, words))
        line_numbers.extend(number for number, _ in chunk)
    if not values:
        return NumberList(np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int32), path)
    arrays = np.frombuffer(counts, np.int32), np.frombuffer(line_numbers, np.int32)
    return NumberList(np.frombuffer(values), *arrays, path)


def bounded_numbers(words: Sequence[str], where: str) -> list[float]:
    """Numbers of one line.

    Raises:
        FormatError: another word, or a number that is not finite or too large.
    """
    values = finite_numbers(words, where)
    if any(abs(value) > MAX_NUMBER for value in values):
        raise FormatError(f"{where}: too large numbers: {' '.join(words)[:200]}")
    return values


def content_lines(lines: Iterable[str]) -> Iterator[NumberedLine]:
    """Lines that are not empty, as they are asked for."""
    stripped = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return ((number, line) for number, line in stripped if line)


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
    heads, counts = _point_starts(numbers, start, num_points)
    ends = np.concatenate([[0], np.cumsum(counts)])
    total = int(ends[-1])
    xyz, rgb = np.empty((num_points, 3)), np.empty((num_points, 3), np.uint8)
    images, features = np.empty(total, np.int32), np.empty(total, np.int64)
    xy = np.empty((total, 2))
    for first in range(0, num_points, _CHUNK):
        rows = slice(first, first + _CHUNK)
        indices, xy_of_rows = _measurements(numbers, heads[rows], counts[rows], num_images)
        within = slice(ends[first], ends[first] + len(indices))
        images[within], features[within], xy[within] = *indices.T, xy_of_rows
        xyz[rows] = numbers.values[heads[rows, None] + np.arange(3)]
        rgb[rows] = _colors(numbers, heads[rows])
    points = np.repeat(np.arange(num_points, dtype=np.int32), counts)
    return Tracks(xyz, rgb, points, images, features, xy)


def _measurements(
    numbers: NumberList, heads: Int64, counts: Int64, num_images: int
) -> tuple[Float64, Float64]:
    """(K, 2) image and keypoint, and (K, 2) pixels, of points that begin at ``heads``."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    firsts = np.repeat(heads, counts) + _HEAD + 4 * within
    indices = numbers.values[firsts[:, None] + np.arange(2)]
    wrong = (indices != np.floor(indices)) | (indices < -1) | (indices >= 2**53)
    wrong[:, 0] |= (indices[:, 0] < 0) | (indices[:, 0] >= num_images)
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        image, feature = indices[row].tolist()
        raise FormatError(
            f"{numbers.where(int(firsts[row]))}: expected an image from 0 to {num_images - 1} and "
            f"a keypoint index, got {image:g} and {feature:g}"
        )
    return indices, numbers.values[firsts[:, None] + np.arange(2, 4)]


def _colors(numbers: NumberList, heads: Int64) -> UInt8:
    rgb = numbers.values[heads[:, None] + np.arange(3, 6)]
    wrong = ((rgb < 0) | (rgb > 255)).any(axis=1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise FormatError(
            f"{numbers.where(int(heads[row]) + 3)}: expected a colour in 0..255, got "
            f"{rgb[row].tolist()}"
        )
    return rgb.astype(np.uint8)


def _point_starts(numbers: NumberList, start: int, num_points: int) -> tuple[Int64, Int64]:
    """Index of the first number, and count of measurements, of each point."""
    total = len(numbers.values)
    if num_points > (total - start) // _HEAD:
        raise FormatError(
            f"{numbers.path}: expected {num_points} points, the numbers that follow are enough for "
            f"{max(total - start, 0) // _HEAD} at most: it is cut off or damaged"
        )
    heads, counts = np.zeros(num_points, np.int64), np.zeros(num_points, np.int64)
    position, values = start, numbers.values
    for row in range(num_points):
        count = values.item(position + 6) if position + _HEAD <= total else -1.0
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
                value = float(word)
            except ValueError:
                return FormatError(f"{path}, line {number}: expected numbers, got {word[:40]!r}")
            if not abs(value) <= MAX_NUMBER:
                return FormatError(f"{path}, line {number}: numbers must be finite, got {value:g}")
    return FormatError(f"{path}: expected numbers only")
