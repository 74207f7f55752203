"""Writes submissions: names, directions, orders and number formats as each benchmark wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.submissions.containers import write_zip_atomic
from hloc_lite.formats.submissions.forms import Direction, SubmissionForm
from hloc_lite.formats.submissions.lines import format_line
from hloc_lite.formats.submissions.names import site_names, split_group
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Float64, Rigid3


@dataclass(frozen=True)
class WrittenSubmission:
    """Written file, and how many poses it has."""

    path: Path
    num_written: int
    left_out: tuple[str, ...]
    """Names of poses that are not finite; the site counts these queries as failures."""


def write_submission(
    poses: Mapping[str, Rigid3],
    form: SubmissionForm,
    path: Path,
    *,
    confidences: Mapping[str, float] | None = None,
    description: str = "",
) -> WrittenSubmission:
    """Write poses as a benchmark wants them; poses that are not finite are left out.

    Args:
        poses: path of the image -> cam_from_world, in the order of the lines. Names with
            timestamps are ``timestamp/device`` or ``reference timestamp/query timestamp``; the
            device may be a rig, then the pose is the rig's. In zip files the group stands first
            (``CAB_query_phone/1234/device``, ``s00525/seq1/frame_00005.jpg``). Relative poses are
            query_from_reference.
        form: see ``forms.SUBMISSION_FORMS``.
        path: text or zip file, replaced if it exists.
        confidences: by the same names, of all poses; for Map-free only.
        description: text about the method, for forms whose zip file has one.

    Raises:
        FormatError: two images get the same name, a name cannot be written or is not in the form
            that the benchmark wants, a rotation is none, or a confidence or the description is
            missing.
        HlocLiteError: the folder cannot be written.
    """
    _check_confidences(poses, confidences, form)
    shortened = site_names(poses, form)
    finite = [name for name, pose in poses.items() if pose.is_finite]
    values = _numbers(
        finite, _in_direction(poses, finite, form), _quaternions(poses, finite, form),
        confidences, form,
    )  # fmt: skip
    by_group: dict[str, list[str]] = {}
    for name, row in zip(finite, values.tolist(), strict=True):
        group, local = split_group(shortened[name], form)
        _check_writable(local, form)
        by_group.setdefault(group, []).append(format_line(local, row, form) + "\n")
    texts = {group: "".join(lines) for group, lines in by_group.items()}
    if form.zip_layout is None:
        write_text_atomic(path, texts.get("", ""))
    else:
        write_zip_atomic(path, _zip_texts(texts, form, description))
    kept = set(finite)
    return WrittenSubmission(path, len(finite), tuple(name for name in poses if name not in kept))


def _zip_texts(texts: Mapping[str, str], form: SubmissionForm, description: str) -> dict[str, str]:
    """Text by file name. Known groups without poses get an empty file."""
    layout = form.zip_layout
    assert layout is not None
    wrong = [group for group in texts if not re.fullmatch(layout.group_pattern, group)]
    if wrong:
        raise FormatError(f"{wrong[0]!r} is no group of {form.data_set}: expected one that fits "
                          f"{layout.group_pattern}")  # fmt: skip
    groups = [*layout.groups, *texts] if layout.needs_all_groups else list(texts)
    files = {layout.file_name(group): texts.get(group, "") for group in dict.fromkeys(groups)}
    if not layout.description_file:
        return files
    if not description.strip():
        raise FormatError(f"{form.data_set} wants a description of the method: none was given")
    return {layout.description_file: description, **files}


def _in_direction(poses: Mapping[str, Rigid3], names: list[str], form: SubmissionForm) -> Float64:
    """(N, 3) position numbers of the lines."""
    chosen = [poses[name] for name in names]
    is_center = form.direction is Direction.WORLD_FROM_CAM
    rows = [pose.center if is_center else pose.translation for pose in chosen]
    return np.array(rows, np.float64).reshape(-1, 3)


def _quaternions(poses: Mapping[str, Rigid3], names: list[str], form: SubmissionForm) -> Float64:
    """(N, 4) quaternions of the lines, wxyz with w >= 0."""
    from scipy.spatial.transform import Rotation

    if not names:
        return np.zeros((0, 4))
    rotations = np.array([poses[name].rotation for name in names])
    errors = np.abs(rotations @ np.swapaxes(rotations, 1, 2) - np.eye(3)).max(axis=(1, 2))
    wrong = np.flatnonzero((errors > 1e-3) | (np.linalg.det(rotations) < 0))
    if len(wrong):
        raise FormatError(f"the pose of {names[wrong[0]]!r} has a matrix that is no rotation")
    if form.direction is Direction.WORLD_FROM_CAM:
        rotations = np.swapaxes(rotations, 1, 2)
    xyzw = Rotation.from_matrix(rotations).as_quat()
    quats: Float64 = np.where(xyzw[:, 3:] < 0, -xyzw, xyzw)[:, [3, 0, 1, 2]]
    return quats


def _numbers(
    names: list[str],
    positions: Float64,
    quats_wxyz: Float64,
    confidences: Mapping[str, float] | None,
    form: SubmissionForm,
) -> Float64:
    """(N, C) in the order of the form's columns."""
    columns = dict(zip(("qw", "qx", "qy", "qz"), quats_wxyz.T, strict=True))
    columns |= dict(zip(("tx", "ty", "tz"), positions.T, strict=True))
    if confidences is not None:
        columns["confidence"] = np.array([confidences[name] for name in names], np.float64)
    return np.column_stack([columns[key] for key in form.numbers])


def _check_confidences(
    poses: Mapping[str, Rigid3], confidences: Mapping[str, float] | None, form: SubmissionForm
) -> None:
    if not form.has_confidence:
        if confidences is not None:
            raise FormatError(f"a submission to {form.data_set} has no confidences")
        return
    for name in poses:
        value = (confidences or {}).get(name)
        if value is None or not 0 <= value < np.inf:
            raise FormatError(
                f"{form.data_set} wants a finite confidence >= 0 of each pose, got {value} for "
                f"{name!r}"
            )


def _check_writable(local_name: str, form: SubmissionForm) -> None:
    """Refuse names that a reader would split, or take for a comment."""
    has_comma = "," in local_name and "," in form.separator
    has_space = local_name.split() != [local_name]
    if has_space or has_comma or local_name.startswith("#") or not local_name.isprintable():
        raise FormatError(
            f"the line of {local_name!r} could not be read: names must not contain spaces or "
            f"control characters, or start with '#'{', or contain commas' if has_comma else ''}"
        )
