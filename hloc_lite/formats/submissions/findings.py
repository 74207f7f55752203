"""Findings of the check of a submission: what is wrong, where, and what the site makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

NUM_FIRST = 5
"""Places that a finding names."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = auto()
    """Scores are lost or wrong if it is uploaded so."""
    REMARK = auto()
    """It may be intended."""


class FindingKind(StrEnum):
    """Subject of a finding."""

    EMPTY_FILE = "empty-file"
    NOT_TEXT = "not-text"
    BYTE_ORDER_MARK = "byte-order-mark"
    LINE_ENDS = "line-ends"
    HEADER = "header"
    SEPARATOR = "separator"
    WRONG_COLUMNS = "wrong-columns"
    UNREADABLE_LINE = "unreadable-line"
    NOT_A_ZIP = "not-a-zip"
    UNEXPECTED_ZIP = "unexpected-zip"
    WRONG_FILES = "wrong-files"
    NO_DESCRIPTION = "no-description"
    MISSING_NAMES = "missing-names"
    MISSING_CAMERA = "missing-camera"
    MISSING_GROUP = "missing-group"
    TOO_MANY_NAMES = "too-many-names"
    UNKNOWN_NAMES = "unknown-names"
    DOUBLE_NAMES = "double-names"
    MISSING_PREFIX = "missing-prefix"
    UNKNOWN_CAMERA = "unknown-camera"
    FULL_PATH = "full-path"
    CONDITION_IN_NAME = "condition-in-name"
    WRONG_EXTENSION = "wrong-extension"
    NAME_FORM = "name-form"
    NOT_FINITE = "not-finite"
    ZERO_QUATERNION = "zero-quaternion"
    NON_UNIT_QUATERNION = "non-unit-quaternion"
    COLUMN_ORDER = "column-order"
    ALL_POSES_EQUAL = "all-poses-equal"
    CONFIDENCE_MISSING = "confidence-missing"
    CONFIDENCE_NEGATIVE = "confidence-negative"
    QUATERNION_ORDER = "quaternion-order"
    INVERTED_POSE = "inverted-pose"
    INVERTED_ROTATION = "inverted-rotation"
    CENTRE_FOR_TRANSLATION = "centre-for-translation"
    TRANSLATION_FOR_CENTRE = "translation-for-centre"
    CAMERA_AXES = "camera-axes"
    UNIT = "unit"
    FAR_FROM_MAP = "far-from-map"


_LINES_LOST = "The site cannot read these lines or the whole file: those queries count as failures."
_NO_QUERY = "The site finds no query of these names: they count as failures."
_ALL_WRONG = "The site reads other poses than you mean: all scores are close to 0."
_NO_FILE = "The site cannot read the upload and refuses it, or all scores are 0."
_FIRST_LINE = "The site may refuse the file or lose the first line."

CONSEQUENCES: Mapping[FindingKind, str] = {
    FindingKind.EMPTY_FILE: "All queries count as failures.",
    FindingKind.NOT_TEXT: _NO_FILE,
    FindingKind.BYTE_ORDER_MARK: "The name in the first line starts with an invisible character: "
    "the site does not find that query.",
    FindingKind.LINE_ENDS: "A reader that splits at single line feeds finds a carriage return in "
    "the last number, and may refuse the line.",
    FindingKind.HEADER: _FIRST_LINE,
    FindingKind.SEPARATOR: _LINES_LOST,
    FindingKind.WRONG_COLUMNS: _LINES_LOST,
    FindingKind.UNREADABLE_LINE: _LINES_LOST,
    FindingKind.NOT_A_ZIP: _NO_FILE,
    FindingKind.UNEXPECTED_ZIP: _NO_FILE,
    FindingKind.WRONG_FILES: "The site ignores files of other names; queries of a missing file "
    "count as failures.",
    FindingKind.NO_DESCRIPTION: "The site refuses an upload without the description.",
    FindingKind.MISSING_NAMES: "The site counts them as failures.",
    FindingKind.MISSING_CAMERA: "The site counts all queries of these cameras as failures.",
    FindingKind.MISSING_GROUP: "The site counts all queries of these files as failures.",
    FindingKind.TOO_MANY_NAMES: "Some lines are of images that are no queries, or of another "
    "version of the data set.",
    FindingKind.UNKNOWN_NAMES: "The site has no truth for them: it ignores these lines or refuses "
    "the file.",
    FindingKind.DOUBLE_NAMES: "The site takes one of the lines, which one is not known, or refuses "
    "the file.",
    FindingKind.MISSING_PREFIX: "The site finds no query of that name: their scores are 0.",
    FindingKind.UNKNOWN_CAMERA: _NO_QUERY,
    FindingKind.FULL_PATH: _NO_QUERY,
    FindingKind.CONDITION_IN_NAME: _NO_QUERY,
    FindingKind.WRONG_EXTENSION: _NO_QUERY,
    FindingKind.NAME_FORM: _NO_QUERY,
    FindingKind.NOT_FINITE: "These queries count as failures, or the site refuses the file: leave "
    "such lines out.",
    FindingKind.ZERO_QUATERNION: "No rotation: these queries count as failures, or their errors "
    "become NaN.",
    FindingKind.NON_UNIT_QUATERNION: "The site may take them for another rotation; most likely the "
    "numbers are no quaternion.",
    FindingKind.COLUMN_ORDER: _ALL_WRONG,
    FindingKind.ALL_POSES_EQUAL: "All queries but those at that location count as failures.",
    FindingKind.CONFIDENCE_MISSING: _LINES_LOST,
    FindingKind.CONFIDENCE_NEGATIVE: "The site refuses negative confidences.",
    FindingKind.QUATERNION_ORDER: _ALL_WRONG,
    FindingKind.INVERTED_POSE: _ALL_WRONG,
    FindingKind.INVERTED_ROTATION: _ALL_WRONG,
    FindingKind.CENTRE_FOR_TRANSLATION: _ALL_WRONG,
    FindingKind.TRANSLATION_FOR_CENTRE: _ALL_WRONG,
    FindingKind.CAMERA_AXES: "The site takes all rotations as wrong by 180 degrees.",
    FindingKind.UNIT: _ALL_WRONG,
    FindingKind.FAR_FROM_MAP: "If the poses are in the coordinates of a map of your own, all "
    "scores are 0.",
}
"""Result that the site most likely gives for each kind, if it is uploaded so."""


@dataclass(frozen=True, order=True, slots=True)
class Location:
    """Line of a text file of a submission."""

    file: str
    """Name in the zip file; empty if the submission is one text file."""
    line: int
    """Counts from 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else str(self.line)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of mistake, with all lines that have it."""

    severity: Severity
    kind: FindingKind
    message: str
    """Expected and found values, in one or two sentences."""
    count: int = 0
    """Lines, names or files that have it."""
    locations: tuple[Location, ...] = ()
    """The first ``NUM_FIRST`` lines; empty if it concerns the file as a whole."""

    @property
    def consequence(self) -> str:
        """Result that the site most likely gives for it."""
        return CONSEQUENCES[self.kind]

    @property
    def lines(self) -> tuple[int, ...]:
        """Numbers of the first lines."""
        return tuple(location.line for location in self.locations)

    def __str__(self) -> str:
        return f"{self.severity} {self.kind}: {self.message} {self.consequence}"


def line_finding(
    kind: FindingKind,
    locations: Sequence[Location],
    what: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    """Finding on lines; its message starts with their numbers.

    Args:
        locations: at least one, in order.
        what: what is the matter with them, as the end of a sentence, without the full stop.
    """
    first = tuple(locations[:NUM_FIRST])
    shown = ", ".join(str(location) for location in first) + (
        ", ..." if len(locations) > NUM_FIRST else ""
    )
    noun = "1 line" if len(locations) == 1 else f"{len(locations)} lines"
    return Finding(
        severity=severity, kind=kind, message=f"{noun} ({shown}): {what}.", count=len(locations),
        locations=first,
    )  # fmt: skip


def some(names: Sequence[str], count: int = 3) -> str:
    """The first names in quotes, for messages."""
    return ", ".join(repr(name[:120]) for name in names[:count]) + (
        ", ..." if len(names) > count else ""
    )
