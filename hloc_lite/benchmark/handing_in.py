"""Submission of a benchmark run: its poses under the benchmark's names, and its check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hloc_lite.benchmark.parts import PartAnswers
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import Finding
from hloc_lite.formats.submissions.forms import SubmissionForm
from hloc_lite.formats.submissions.writer import WrittenSubmission, write_submission
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3


def submission_file(folder: Path, form: SubmissionForm) -> Path:
    """File in which a run hands its poses in."""
    return folder / ("submission.zip" if form.zip_layout is not None else "submission.txt")


def submitted_poses(parts: Sequence[PartAnswers]) -> dict[str, Rigid3]:
    """Poses of all parts, by the names that ``write_submission`` takes.

    Raises:
        HlocLiteError: two parts have a query of the same name.
    """
    poses: dict[str, Rigid3] = {}
    for part in parts:
        for name, pose in _named_poses(part).items():
            if name in poses:
                raise HlocLiteError(f"two parts of the data set have a query {name!r}")
            poses[name] = pose
    return poses


def submitted_names(parts: Sequence[PartAnswers]) -> list[str]:
    """Names of all queries, localized or not, as ``submitted_poses`` has them."""
    names = []
    for part in parts:
        dataset = part.dataset
        if dataset.relative_queries:
            names += [each.name for each in dataset.relative_queries]
        else:
            asked = tuple(dataset.rigs) or dataset.query_names
            names += [dataset.submission_names.get(name, name) for name in asked]
    return names


def submitted_confidences(parts: Sequence[PartAnswers]) -> dict[str, float]:
    """Confidences by the same names; 0 where none is known."""
    found = {}
    for part in parts:
        known, names = part.confidences, part.dataset.submission_names
        relative = {each.name: each.query for each in part.dataset.relative_queries}
        by_name = {names.get(query, query): value for query, value in known.items()}
        for name in _named_poses(part):
            found[name] = known.get(relative.get(name, ""), by_name.get(name, 0.0))
    return found


def hand_in(
    parts: Sequence[PartAnswers], form: SubmissionForm, folder: Path, description: str
) -> tuple[WrittenSubmission, tuple[Finding, ...]]:
    """Write the submission of a run, and check it as the site would read it.

    Args:
        description: text about the method, for forms that want one.

    Raises:
        HlocLiteError: it cannot be written, or a query has no name that the form can hold.
    """
    confidences = submitted_confidences(parts) if form.has_confidence else None
    written = write_submission(
        submitted_poses(parts),
        form,
        submission_file(folder, form),
        confidences=confidences,
        description=description,
    )
    model: SfmModel | None = None
    if len(parts) == 1 and form.zip_layout is None and not form.is_relative:
        model = parts[0].sfm_map.model
    findings = check_submission(
        written.path, form, expected_names=submitted_names(parts), map_model=model
    )
    return written, findings


def _named_poses(part: PartAnswers) -> dict[str, Rigid3]:
    """Poses of a part by submission names; relative ones as query_from_reference."""
    dataset, poses = part.dataset, part.poses
    if not dataset.relative_queries:
        return {dataset.submission_names.get(name, name): pose for name, pose in poses.items()}
    found = {}
    for each in dataset.relative_queries:
        image = part.sfm_map.model.image_named(each.reference)
        if each.query in poses and image is not None:
            reference_from_world = image.cam_from_world
            found[each.name] = poses[each.query].compose(reference_from_world.inverse())
    return found
