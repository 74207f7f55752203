"""Reads submissions back as poses, to evaluate or to convert them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.submissions.containers import read_texts
from hloc_lite.formats.submissions.findings import FindingKind, Severity
from hloc_lite.formats.submissions.forms import Direction, SubmissionForm
from hloc_lite.formats.submissions.line_checks import (
    layout_findings,
    number_findings,
    positions,
    quaternions,
)
from hloc_lite.formats.submissions.lines import parse_lines
from hloc_lite.types import Rigid3

_HARMLESS = (
    FindingKind.BYTE_ORDER_MARK, FindingKind.LINE_ENDS, FindingKind.HEADER,
    FindingKind.WRONG_FILES, FindingKind.NO_DESCRIPTION, FindingKind.ALL_POSES_EQUAL,
)  # fmt: skip


@dataclass(frozen=True)
class Submission:
    """Poses of a submission."""

    poses: Mapping[str, Rigid3]
    """Name as the site writes it -> cam_from_world, in the order of the file. Names of zip files
    start with the group."""
    confidences: Mapping[str, float]
    """Confidence by name; empty if the form has none."""


def read_submission(path: Path, form: SubmissionForm) -> Submission:
    """Read the poses of a submission.

    Byte order marks, line ends, headers and files that are left over or missing do no harm here;
    ``check_submission`` finds them.

    Raises:
        FormatError: the file is missing or unreadable, or a line has other columns, numbers that
            are not finite, no unit quaternion, or the name of another line.
    """
    texts = read_texts(path, form)
    lines = parse_lines(texts.texts, form)
    found = [*texts.findings, *layout_findings(lines, form)]
    numbers, _, _ = number_findings(lines, form)
    for finding in (*found, *numbers):
        if finding.severity is Severity.ERROR and finding.kind not in _HARMLESS:
            raise FormatError(f"{path}: {finding.message}")
    if len(set(lines.names)) < len(lines.names):
        counts = Counter(lines.names)
        double = next(name for name in lines.names if counts[name] > 1)
        raise FormatError(f"{path}: {double!r} is listed twice")
    poses = _poses(lines.names, lines.values, form)
    confidences = {}
    if form.has_confidence:
        column = lines.values[:, form.numbers.index("confidence")].tolist()
        confidences = dict(zip(lines.names, column, strict=True))
    return Submission(poses, confidences)


def _poses(names: tuple[str, ...], values: np.ndarray, form: SubmissionForm) -> dict[str, Rigid3]:
    from scipy.spatial.transform import Rotation

    if not names:
        return {}
    quats = quaternions(values, form)
    is_wxyz = form.numbers.index("qw") < form.numbers.index("qx")
    rotations = Rotation.from_quat(quats[:, [1, 2, 3, 0]] if is_wxyz else quats).as_matrix()
    poses = [
        Rigid3(rotation, position)
        for rotation, position in zip(rotations, positions(values, form), strict=True)
    ]
    if form.direction is Direction.WORLD_FROM_CAM:
        poses = [pose.inverse() for pose in poses]
    return dict(zip(names, poses, strict=True))
