"""Google Landmarks v2: solutions and predictions of retrieval and recognition, as CSV.

Columns as in the data set's own evaluation (Weyand et al., CVPR 2020; tensorflow/models,
research/delf): a solution has ``id``, ``images`` or ``landmarks``, and ``Usage``. A prediction has
``id`` and ``images`` or ``landmarks``. Lists of names in a cell are separated by spaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.formats.csv_rows import csv_rows
from hloc_lite.formats.pose_text import finite_numbers
from hloc_lite.formats.retrieval_truth import RetrievalTruth

USAGES = ("Public", "Private", "Ignored")
"""Parts of the test images; ignored ones are in no score."""


@dataclass(frozen=True)
class RetrievalSolution:
    """Truth of retrieval: all scored queries, and those of each part."""

    truth: RetrievalTruth
    parts: Mapping[str, frozenset[str]]
    """Public and Private -> queries."""
    ignored_queries: frozenset[str]


@dataclass(frozen=True)
class RecognitionSolution:
    """Truth of recognition: landmarks in each scored image."""

    landmarks: Mapping[str, frozenset[str]]
    """Test image -> its landmarks; empty where it shows none."""
    parts: Mapping[str, frozenset[str]]
    """Public and Private -> test images."""
    ignored_queries: frozenset[str]


@dataclass(frozen=True)
class LandmarkPrediction:
    """Landmark that was recognized in an image."""

    landmark: str
    score: float


def read_retrieval_solution(path: Path) -> RetrievalSolution:
    """Read ``retrieval_solution_v2.1.csv``; ignored queries are left out of the truth.

    Raises:
        FormatError: another header, an id that occurs twice, or an unknown Usage.
    """
    named, parts, ignored = _read_solution(path, "images")
    return RetrievalSolution(RetrievalTruth(named), parts, ignored)


def read_recognition_solution(path: Path) -> RecognitionSolution:
    """Read ``recognition_solution_v2.1.csv``; ignored images are left out of the truth.

    Raises:
        FormatError: as ``read_retrieval_solution``.
    """
    return RecognitionSolution(*_read_solution(path, "landmarks"))


def read_recognition_predictions(path: Path) -> dict[str, LandmarkPrediction | None]:
    """Read predicted landmarks: ``id,landmarks`` with cells ``LANDMARK SCORE``, or empty ones.

    Returns:
        Test image -> prediction; None where none is given.

    Raises:
        FormatError: another header, an id that occurs twice, or another cell.
    """
    found: dict[str, LandmarkPrediction | None] = {}
    for number, name, cell in _unique_rows(path, "landmarks"):
        words, where = cell.split(), f"{path}, line {number}"
        if len(words) not in (0, 2):
            raise FormatError(f"{where}: expected 'LANDMARK SCORE' or nothing, got {cell[:120]!r}")
        found[name] = None
        if words:
            found[name] = LandmarkPrediction(words[0], finite_numbers(words[1:], where)[0])
    return found


def _read_solution(
    path: Path, column: str
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]], frozenset[str]]:
    """Names in the column, by id; ids of the scored parts; ignored ids."""
    named: dict[str, frozenset[str]] = {}
    parts: dict[str, set[str]] = {usage: set() for usage in USAGES}
    for number, name, cell, usage in _unique_rows(path, column, "Usage"):
        if usage not in USAGES:
            raise FormatError(
                f"{path}, line {number}: expected a Usage of {', '.join(USAGES)}, got "
                f"{usage[:80]!r}"
            )
        parts[usage].add(name)
        if usage != USAGES[-1]:
            named[name] = frozenset(cell.split())
    if not named:
        raise FormatError(f"{path}: expected rows with a Usage of Public or Private, got none")
    ignored = parts.pop(USAGES[-1])
    return named, {usage: frozenset(ids) for usage, ids in parts.items()}, frozenset(ignored)


def _unique_rows(path: Path, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Line number, id and cells of each row; an id may occur once."""
    ids: set[str] = set()
    for number, (name, *cells) in csv_rows(path, ("id", *columns)):
        if not name or name in ids:
            problem = "is listed twice" if name else "is empty"
            raise FormatError(f"{path}, line {number}: the id {name!r} {problem}")
        ids.add(name)
        yield number, name, *cells
