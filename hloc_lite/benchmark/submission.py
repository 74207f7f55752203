"""Submission of a benchmark run: its poses under the benchmark's names, and its check."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hloc_lite.benchmark.parts import PartAnswers
from hloc_lite.datasets.cards import Card
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import Finding
from hloc_lite.formats.submissions.forms import SubmissionForm
from hloc_lite.formats.submissions.inloc_mat import RankedPose, RankedPoses
from hloc_lite.formats.submissions.writer import WrittenSubmission, write_submission
from hloc_lite.scene import SfmModel
from hloc_lite.types import LocalizationResult, Rigid3

SUBMISSION_FILES = ("submission.txt", "submission.zip")
"""Names of the submission of a run: a text file, or a zip file with a text per group."""


def submission_file(folder: Path, form: SubmissionForm) -> Path:
    """Path of the submission of a run."""
    return folder / SUBMISSION_FILES[form.zip_layout is not None]


@dataclass(frozen=True)
class SubmissionEntry:
    """Pose that a submission asks for."""

    name: str
    """Name that ``write_submission`` takes."""
    pose: Rigid3 | None
    """None if it was not found."""
    confidence: float
    """0 where none is known."""


def submission_entries(
    parts: Sequence[PartAnswers], validation: Collection[str]
) -> list[SubmissionEntry]:
    """Poses that a submission asks for, of all parts.

    Args:
        validation: conditions that are not submitted.

    Raises:
        HlocLiteError: two parts have a query of the same name.
    """
    found: dict[str, SubmissionEntry] = {}
    for part in parts:
        for each in _entries_of_part(part, validation):
            if each.name in found:
                raise HlocLiteError(f"two parts of the data set have a query {each.name!r}")
            found[each.name] = each
    return list(found.values())


def write_run_submission(
    parts: Sequence[PartAnswers], card: Card, form: SubmissionForm, folder: Path, description: str
) -> tuple[WrittenSubmission, tuple[Finding, ...]]:
    """Write the submission of a run, and check it as the site would read it.

    Validation conditions are left out, unless there are no others: their file can be scored here.

    Args:
        description: text about the method, for forms that want one.

    Raises:
        HlocLiteError: it cannot be written, or a query has no name that the form can hold.
    """
    asked = submission_entries(parts, card.validation) or submission_entries(parts, ())
    confidences = {each.name: each.confidence for each in asked if each.pose is not None}
    written = write_submission(
        {each.name: each.pose for each in asked if each.pose is not None},
        form,
        submission_file(folder, form),
        confidences=confidences if form.has_confidence else None,
        description=description,
    )
    model: SfmModel | None = None
    is_in_world = len(parts) == 1 and not parts[0].dataset.frames
    if is_in_world and form.zip_layout is None and not form.is_relative:
        model = parts[0].sfm_map.model
    names = [each.name for each in asked]
    return written, check_submission(written.path, form, expected_names=names, map_model=model)


def ranked_poses(parts: Sequence[PartAnswers]) -> list[RankedPoses]:
    """Answers to InLoc's queries as its authors store them: the pose, and the best cutout with it.

    The cutout is the first retrieved one on the floor of the pose, the score the number of inliers.
    """
    return [
        RankedPoses(PurePosixPath(result.query_name).name, tuple(_ranked(part, result)))
        for part in parts
        for result in part.results
    ]


def _ranked(part: PartAnswers, result: LocalizationResult) -> Iterator[RankedPose]:
    pose, model = part.single_poses.get(result.query_name), part.sfm_map.model
    if pose is None:
        return
    floor = part.dataset.frame_of(pose)
    for name in result.hits.names:
        image = model.image_named(name)
        if image is not None and part.dataset.frame_of(image.cam_from_world) is floor:
            score = float(result.counts.get("inliers", 0))
            short = name.removeprefix("database/cutouts/")
            yield RankedPose(short, score, part.dataset.asked_pose(pose))
            return


def _entries_of_part(part: PartAnswers, validation: Collection[str]) -> Iterator[SubmissionEntry]:
    dataset = part.dataset
    left_out = {name for key in validation for name in dataset.queries.get(key, ())}
    names, confidences = dataset.submission_names, part.confidences
    if dataset.relative_queries:
        poses = part.poses
        for each in dataset.relative_queries:
            if each.query not in left_out:
                pose = _relative(part, poses.get(each.query), each.reference)
                yield SubmissionEntry(each.name, pose, confidences.get(each.query, 0.0))
        return
    for rig, queries in dataset.rigs.items():
        if left_out.isdisjoint(queries):
            yield SubmissionEntry(names.get(rig, rig), part.rig_poses.get(rig), 0.0)
    single = {name: dataset.asked_pose(pose) for name, pose in part.single_poses.items()}
    for result in part.results:
        name = result.query_name
        if name not in left_out:
            yield SubmissionEntry(
                names.get(name, name), single.get(name), confidences.get(name, 0.0)
            )


def _relative(part: PartAnswers, pose: Rigid3 | None, reference: str) -> Rigid3 | None:
    """query_from_reference; None if either pose is unknown."""
    image = part.sfm_map.model.image_named(reference)
    if pose is None or image is None:
        return None
    return pose.compose(image.cam_from_world.inverse())
