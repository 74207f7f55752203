"""Scores by the protocols of data sets that recalls do not cover: Map-free and RIO10."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.config import DepthConfig
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError, HlocLiteError, counted
from hloc_lite.evaluation.dcre import DcreScores, dcre_scores
from hloc_lite.evaluation.map_free import Acceptance, MapFreeScores, map_free_scores
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.formats.depth_images import read_depth
from hloc_lite.formats.pseudo_truth import read_pseudo_truth_estimates
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import Submission, read_submission
from hloc_lite.types import Camera, Rigid3

DCRE_LIMITS, DCRE_OUTLIER = (0.05, 0.15), 0.5
"""Errors of RIO10's table: shares below the first two, and share of outliers above the last."""
_PHOTO, _DEPTH = ".color.jpg", ".rendered.depth.png"


def score_file(data_set: str, parts: Sequence[Dataset], path: Path) -> TextTable:
    """Score a file of poses by the protocol of its data set.

    Args:
        data_set: name of the card.
        parts: the data set with its true poses.
        path: submission of the data set; for RIO10 also a poses file with names of photos.

    Raises:
        HlocLiteError: a data set without a protocol of its own, no public truth, or no name of
            ``path`` is one of its queries.
        FormatError: the file is not readable.
    """
    if data_set == "mapfree":
        return map_free_table(parts, read_submission(path, submission_form(data_set)))
    if data_set == "rio10":
        table = dcre_table(parts, _read_rio10(parts, path))
        if table is None:
            raise HlocLiteError(
                f"DCRE needs the depth of the queries: no frame has a {_DEPTH[1:]} beside its photo"
            )
        return table
    known = ", ".join(PROTOCOLS)
    raise HlocLiteError(
        f"{data_set!r} has no protocol of its own (those that have one: {known}): give its true "
        f"poses as TRUTH files, and its thresholds with --thresholds"
    )


PROTOCOLS = ("mapfree", "rio10")
"""Data sets that ``score_file`` scores."""


def map_free_table(parts: Iterable[Dataset], answers: Submission) -> TextTable:
    """Table of precision and AUC by pose and by VCRE, over all scenes with true poses.

    Args:
        parts: scenes; those without true poses are left out.
        answers: query_from_reference and confidence by name in a submission.

    Raises:
        HlocLiteError: no scene with true poses, or no estimate of one of their frames.
    """
    scenes: dict[str, dict[str, Rigid3]] = {}
    cameras: dict[str, Camera] = {}
    for part in parts:
        shown = part.submission_names
        truth = {n: pose for poses in part.ground_truth.values() for n, pose in poses.items()}
        if truth:
            scenes[part.name] = {shown[name]: pose for name, pose in truth.items()}
        cameras |= {shown[name]: camera for name, camera in part.query_cameras.items()}
    if not scenes:
        raise HlocLiteError("no scene has true poses: only those of val are public")
    _check_known(answers.poses, [name for true in scenes.values() for name in true])
    scores = map_free_scores(answers.poses, answers.confidences, scenes, cameras)
    rows = (
        _map_free_row("pose below 0.25 m, 5 deg", scores.pose, _medians(scores)),
        _map_free_row("VCRE below 90 px", scores.vcre, f"{scores.mean_median_vcre_px:.1f} px"),
    )
    caption = (
        f"Map-free: {scores.num_estimates} estimates of {counted(scores.num_frames, 'frame')} in "
        f"{counted(len(scenes), 'scene')}; precision over all frames, AUC over the confidence, "
        f"mean over the scenes of the median error"
    )
    return TextTable(("correct", "number", "precision", "AUC", "mean median"), rows, caption)


def dcre_table(parts: Iterable[Dataset], poses: Mapping[str, Rigid3]) -> TextTable | None:
    """Table of RIO10's dense correspondence reprojection errors by scene.

    Args:
        poses: query name -> estimated cam_from_world.

    Returns:
        None if no depth of a query with a true pose and an estimate is there.
    """
    scores = {}
    for part in parts:
        truth = {n: pose for poses in part.ground_truth.values() for n, pose in poses.items()}
        if truth:
            scores[part.name] = dcre_scores(poses, truth, part.query_cameras, _depths_of(part))
    if not any(each.errors for each in scores.values()):
        return None
    joined = DcreScores(
        {name: error for each in scores.values() for name, error in each.errors.items()},
        tuple(name for each in scores.values() for name in each.without_pose),
        tuple(name for each in scores.values() for name in each.without_depth),
    )
    named = scores if len(scores) == 1 else {**scores, "all": joined}
    low, high = DCRE_LIMITS
    header = ("scene", "frames", "no pose", f"below {low:g}", f"below {high:g}",
              f"above {DCRE_OUTLIER:g}", "median", "mean of poses")  # fmt: skip
    left_out = len(joined.without_depth)
    caption = "DCRE (share of the image diagonal): percent of the frames below and above limits"
    caption += f"; {counted(left_out, 'frame')} without depth not scored" if left_out else ""
    return TextTable(header, tuple(_dcre_row(n, each) for n, each in named.items()), caption)


def _map_free_row(name: str, found: Acceptance, error: str) -> tuple[str, ...]:
    return name, str(found.num_correct), f"{found.precision:.4f}", f"{found.area:.4f}", error


def _medians(scores: MapFreeScores) -> str:
    return f"{scores.mean_median_distance:.3f} m, {scores.mean_median_angle_deg:.2f} deg"


def _dcre_row(name: str, scores: DcreScores) -> tuple[str, ...]:
    shares = (*map(scores.share_below, DCRE_LIMITS), scores.share_above(DCRE_OUTLIER))
    return (
        name, str(scores.num_frames), str(len(scores.without_pose)),
        *(f"{100 * share:.1f}" for share in shares),
        f"{scores.median:.4f}", f"{scores.mean:.4f}",
    )  # fmt: skip


def _depths_of(part: Dataset) -> Callable[[str], npt.NDArray[np.floating] | None]:
    """Loader of the rendered depths beside the photos of a scene."""
    config, cameras = DepthConfig(values="metric"), part.query_cameras

    def load(name: str) -> npt.NDArray[np.floating] | None:
        path = part.image_folder / (name.removesuffix(_PHOTO) + _DEPTH)
        if not path.is_file():
            return None
        return read_depth(path, (cameras[name].width, cameras[name].height), config).depths

    return load


def _read_rio10(parts: Sequence[Dataset], path: Path) -> dict[str, Rigid3]:
    """Poses by query name, of a submission or of a poses file, which names photos."""
    queries = [name for part in parts for name in part.query_names]
    shown = {name: name for name in queries}  # a run of several scenes puts the scene in front
    shown |= {f"{part.name}/{name}": name for part in parts for name in part.query_names}
    found: Mapping[str, Rigid3] = read_pseudo_truth_estimates(path)
    if shown.keys().isdisjoint(found):
        shown = {name.removesuffix(_PHOTO): name for name in queries}
        if not shown.keys().isdisjoint(found):
            found = read_submission(path, submission_form("rio10")).poses
    true = {name for part in parts for poses in part.ground_truth.values() for name in poses}
    _check_known(found, [name for name, query in shown.items() if query in true])
    return {shown[name]: pose for name, pose in found.items() if name in shown}


def _check_known(given: Mapping[str, Rigid3], known: Sequence[str]) -> None:
    if set(known).isdisjoint(given):
        first = next(iter(given), None)
        raise FormatError(
            f"none of the {len(given)} names is a query of the data set with a true pose: expected "
            f"names like {known[0] if known else None!r}, got {first!r}"
        )
