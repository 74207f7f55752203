"""Findings on what the numbers of a submission mean: direction, order, position, axes, unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hloc_lite.formats.submissions.findings import Finding, FindingKind, Severity
from hloc_lite.formats.submissions.forms import Direction, SubmissionForm
from hloc_lite.formats.submissions.line_checks import positions, quaternions
from hloc_lite.formats.submissions.lines import PoseLines
from hloc_lite.formats.submissions.name_reader import NameReader
from hloc_lite.formats.submissions.pose_readings import (
    ComparedLines,
    Fits,
    compare_readings,
)
from hloc_lite.formats.submissions.pose_references import MapPoses, Reading, TruePoses
from hloc_lite.scene import SfmModel
from hloc_lite.types import Bool, Int64, Rigid3

MAX_LINES = 600
"""Lines that are compared, evenly spaced over the file."""
_MIN_COMPARED = 9
"""Fewer lines, or images of the map, say too little."""
_FEW_NEAR = 0.1
"""Share of camera centres near the map below which the poses belong to another world."""


def pose_findings(
    lines: PoseLines,
    form: SubmissionForm,
    is_pose: Bool,
    maps: Mapping[str, SfmModel],
    true_poses: Mapping[str, Rigid3],
) -> list[Finding]:
    """Findings on the meaning of the numbers, from the truth if it has enough lines, else the maps.

    Args:
        form: with the order of columns that the lines really have.
        is_pose: (N,) lines that hold a pose.
        maps: map in the world of the benchmark, by the start of the names that lie in it.
        true_poses: by the site's names; in cam_from_world.
    """
    rows = np.flatnonzero(is_pose)
    parts = _with_truth(lines, form, rows, true_poses) or _with_maps(lines, form, rows, maps)
    if sum(len(part.quats) for part in parts) < _MIN_COMPARED:
        return []
    as_written = Reading(
        is_wxyz=form.numbers.index("qw") < form.numbers.index("qx"),
        is_cam_from_world=form.direction is Direction.CAM_FROM_WORLD,
        is_center=form.direction is Direction.WORLD_FROM_CAM,
    )
    fits = compare_readings(parts, as_written)
    if fits.winner is not None:
        return _reading_findings(fits, fits.winner, as_written, len(rows))
    if fits.is_near.mean() < _FEW_NEAR:
        message = (
            f"{100 * fits.is_near.mean():.0f} % of {fits.num_lines} camera centres looked at lie "
            f"within twice the radius of the map, and no other reading of the numbers fits better."
        )
        return [
            Finding(
                severity=Severity.REMARK, kind=FindingKind.FAR_FROM_MAP, message=message,
                count=len(rows),
            )
        ]  # fmt: skip
    return []


def _with_truth(
    lines: PoseLines, form: SubmissionForm, rows: Int64, true_poses: Mapping[str, Rigid3]
) -> list[ComparedLines]:
    if not true_poses:
        return []
    read = NameReader(form, true_poses).read
    usable = {name for name, pose in true_poses.items() if pose.is_finite}
    queries = [read(lines.names[row]).meant for row in rows]
    known = [index for index, query in enumerate(queries) if query in usable]
    chosen = _some_of(np.array(known, np.int64))
    if len(chosen) < _MIN_COMPARED:
        return []
    truth = TruePoses([true_poses[queries[index]] for index in chosen])
    return [_compared(lines, form, rows[chosen], truth)]


def _with_maps(
    lines: PoseLines, form: SubmissionForm, rows: Int64, maps: Mapping[str, SfmModel]
) -> list[ComparedLines]:
    parts = []
    for start, model in maps.items():
        chosen = np.array([row for row in rows if lines.names[row].startswith(start)], np.int64)
        poses = [image.cam_from_world for image in model.images if image.cam_from_world.is_finite]
        if len(chosen) and len(poses) >= _MIN_COMPARED:
            parts.append(_compared(lines, form, _some_of(chosen), MapPoses(poses)))
    return parts


def _compared(
    lines: PoseLines, form: SubmissionForm, rows: Int64, references: MapPoses | TruePoses
) -> ComparedLines:
    values = lines.values[rows]
    return ComparedLines(quaternions(values, form), positions(values, form), references)


def _some_of(rows: Int64) -> Int64:
    """At most ``MAX_LINES`` rows, evenly spaced."""
    if len(rows) <= MAX_LINES:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_LINES).astype(np.int64)]


def _reading_findings(
    fits: Fits, winner: Reading, as_written: Reading, count: int
) -> list[Finding]:
    """A finding for each difference between the reading that fits and the form's."""
    order, wanted_order = ("xyzw", "wxyz") if as_written.is_wxyz else ("wxyz", "xyzw")
    wanted, given = ("world to camera", "camera to world")
    if not as_written.is_cam_from_world:
        wanted, given = given, wanted
    has_other_rotation = winner.is_cam_from_world != as_written.is_cam_from_world
    has_other_position = winner.is_center != as_written.is_center
    is_inverted = has_other_rotation and has_other_position
    position = (
        (FindingKind.TRANSLATION_FOR_CENTRE, "the translation -R C", "the camera centre C")
        if as_written.is_center
        else (FindingKind.CENTRE_FOR_TRANSLATION, "the camera centre C", "the translation -R C")
    )
    texts: list[tuple[bool, FindingKind, str]] = [
        (
            winner.is_wxyz != as_written.is_wxyz,
            FindingKind.QUATERNION_ORDER,
            f"quaternions are in the order {order}, expected {wanted_order}",
        ),
        (is_inverted, FindingKind.INVERTED_POSE, f"poses are {given}, expected {wanted}"),
        (
            has_other_rotation and not is_inverted,
            FindingKind.INVERTED_ROTATION,
            f"rotations alone are {given}, expected {wanted}",
        ),
        (
            has_other_position and not is_inverted,
            position[0],
            f"the position is {position[1]}, expected {position[2]}",
        ),
        (
            winner.has_opengl_axes,
            FindingKind.CAMERA_AXES,
            "the camera's axes are x right, y up, z back (OpenGL), expected x right, y down, "
            "z forward",
        ),
        (
            winner.unit != 1,
            FindingKind.UNIT,
            f"a unit of the file is {winner.unit:g} of the map's",
        ),
    ]
    share = dict(zip(fits.readings, fits.shares, strict=True))
    surety = (
        f"{100 * share[winner]:.0f} % of {fits.num_lines} lines looked at fit so "
        f"({winner.text}), {100 * fits.share_as_written:.0f} % fit as written"
    )
    if fits.rival is not None:
        surety += f"; nearly as well fits: {fits.rival.text}"
    return [
        Finding(severity=Severity.ERROR, kind=kind, message=f"{text}: {surety}.", count=count)
        for applies, kind, text in texts
        if applies
    ]
