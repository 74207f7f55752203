"""Checks of the lines of a submission by themselves: columns, numbers and quaternions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.formats.submissions.findings import (
    Finding,
    FindingKind,
    Location,
    Severity,
    line_finding,
)
from hloc_lite.formats.submissions.forms import SubmissionForm
from hloc_lite.formats.submissions.lines import PoseLines
from hloc_lite.geometry.rotations import MAX_LENGTH_ERROR
from hloc_lite.io.number_range import MAX_NUMBER
from hloc_lite.types import Bool, Float64

_MIN_LINES = 3
"""Fewer lines say nothing about the file as a whole."""
_MOST = 0.7
"""Share of lines that must fit another order of columns."""


def layout_findings(lines: PoseLines, form: SubmissionForm) -> list[Finding]:
    """Findings on lines that do not have the columns of the form."""
    separator = repr(form.separator)
    texts = {
        FindingKind.HEADER: "title or comment, which the benchmark does not know",
        FindingKind.SEPARATOR: f"expected columns separated by {separator} and decimal points",
        FindingKind.WRONG_COLUMNS: f"expected {form.num_columns} columns, {form.line_text!r}",
        FindingKind.UNREADABLE_LINE: f"a column is no number; expected {form.line_text!r}",
        FindingKind.CONFIDENCE_MISSING: f"the last column is missing; expected {form.line_text!r}",
    }
    return [
        line_finding(kind, locations, f"{texts[kind]}; got {lines.examples[kind][:100]!r}")
        for kind, locations in lines.complaints.items()
    ]


def number_findings(
    lines: PoseLines, form: SubmissionForm
) -> tuple[list[Finding], SubmissionForm, Bool]:
    """Check numbers and quaternions.

    Returns:
        Findings; the form that the columns really have (another order than the given form if
        nearly all lines show it); and (N,) True where a line holds a pose.
    """
    findings: list[Finding] = []
    poses = lines.values[:, :7]
    finite = np.asarray((np.abs(poses) <= MAX_NUMBER).all(axis=1), bool)  # NaN fails, too
    if not finite.all():
        what = f"numbers that are NaN, infinite or above {MAX_NUMBER:g}"
        findings.append(_at(lines, ~finite, FindingKind.NOT_FINITE, what))
    actual = _actual_order(poses[finite], form)
    if actual is not form:
        findings.append(Finding(
            severity=Severity.ERROR, kind=FindingKind.COLUMN_ORDER, count=int(finite.sum()),
            message=f"the columns are not {form.line_text!r} but most likely "
            f"{actual.line_text!r}: only there four numbers form unit quaternions.",
        ))  # fmt: skip
    lengths = _lengths(quaternions(lines.values, actual))
    is_zero = finite & (lengths < 1e-9)
    is_off = finite & ~is_zero & ~(np.abs(lengths - 1) <= MAX_LENGTH_ERROR)
    if is_zero.any():
        findings.append(
            _at(lines, is_zero, FindingKind.ZERO_QUATERNION, "the quaternion is all zeros")
        )
    if is_off.any():
        example = f"quaternions of length {lengths[np.flatnonzero(is_off)[0]]:.4g} instead of 1"
        findings.append(_at(lines, is_off, FindingKind.NON_UNIT_QUATERNION, example))
    is_pose = finite & ~is_zero & ~is_off
    return findings + _equal_poses(poses[is_pose]) + _confidences(lines, form), actual, is_pose


def quaternions(values: Float64, form: SubmissionForm) -> Float64:
    """(N, 4) quaternions in the order of the columns."""
    start = min(form.numbers.index(key) for key in ("qw", "qx"))
    return values[:, start : start + 4]


def positions(values: Float64, form: SubmissionForm) -> Float64:
    """(N, 3) translations or centres of the lines."""
    start = form.numbers.index("tx")
    return values[:, start : start + 3]


def _actual_order(poses: Float64, form: SubmissionForm) -> SubmissionForm:
    """The form, or one with the position on the other side of the quaternion if only that fits."""
    quats, position = form.numbers[:4], form.numbers[4:7]
    if form.numbers[0] == "tx":
        position, quats = form.numbers[:3], form.numbers[3:7]
        swapped = quats + position + form.numbers[7:]
    else:
        swapped = position + quats + form.numbers[7:]
    other = replace(form, numbers=swapped)
    if len(poses) < _MIN_LINES:
        return form
    fits_form, fits_other = (
        float(np.mean(np.abs(_lengths(quaternions(poses, each)) - 1) <= MAX_LENGTH_ERROR))
        for each in (form, other)
    )
    return other if fits_other >= _MOST and fits_form <= 1 - _MOST else form


def _equal_poses(poses: Float64) -> list[Finding]:
    """ALL_POSES_EQUAL if more than half of the poses are one and the same."""
    if len(poses) < _MIN_LINES:
        return []
    # the most common pose of more than half is the median of each column
    with np.errstate(over="ignore"):
        common = np.median(poses, axis=0)
    same = int((poses == common).all(axis=1).sum())
    if same <= len(poses) / 2:
        return []
    return [
        Finding(
            severity=Severity.ERROR, kind=FindingKind.ALL_POSES_EQUAL, count=same,
            message=f"{same} of {len(poses)} poses are exactly the same.",
        )
    ]  # fmt: skip


def _confidences(lines: PoseLines, form: SubmissionForm) -> list[Finding]:
    if not form.has_confidence:
        return []
    values = lines.values[:, form.numbers.index("confidence")]
    without = lines.complaints.get(FindingKind.CONFIDENCE_MISSING, ())
    missing = set(without)
    given = np.array([location not in missing for location in lines.locations], bool)
    findings = []
    is_unknown = given & ~np.isfinite(values)
    if is_unknown.any():
        findings.append(_at(
            lines, is_unknown, FindingKind.NOT_FINITE, "confidences that are NaN or infinite"
        ))  # fmt: skip
    if (values < 0).any():
        what = f"confidences below zero, such as {values[values < 0][0]:g}"
        findings.append(_at(lines, values < 0, FindingKind.CONFIDENCE_NEGATIVE, what))
    return findings


def _at(lines: PoseLines, where: Bool, kind: FindingKind, what: str) -> Finding:
    locations: list[Location] = [lines.locations[row] for row in np.flatnonzero(where)]
    return line_finding(kind, locations, what)


def _lengths(quats: Float64) -> Float64:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths: Float64 = np.linalg.norm(quats, axis=1)
    return lengths
