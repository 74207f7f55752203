"""Scores of map-free relocalization (Arnold et al., ECCV 2022): poses with a confidence.

A query frame without an estimate is a failure: it counts in the recall, not in the medians. Errors
must be below the thresholds. Only the frames that the benchmark scores belong into the true poses
(``scored_frames``). The benchmark's own tool counts all frames of a scene without any estimate as
failures, instead of every fifth. Source of the definitions: nianticlabs/map-free-reloc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.evaluation.confidence_scores import ScoredAnswers, risk_coverage
from hloc_lite.evaluation.query_error import QueryError, query_errors
from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.geometry.cameras import calibration_matrix
from hloc_lite.types import Camera, Float64, Rigid3

CORRECT_POSE = Threshold(0.25, 5, "0.25m,5deg", strict=True)
"""Errors below which a pose is correct; map units are metres."""
MAX_VCRE_PX = 90.0
"""Virtual correspondence error below which a pose is correct, pixels."""
FRAME_STEP = 5
"""Every fifth query frame is scored in the single-frame track."""
_GRID_COUNTS = (7, 4, 7)
_GRID_STEP_M = 0.3
_GRID_START_M = 1.8


@dataclass(frozen=True)
class Acceptance:
    """Precision and area of one definition of a correct pose."""

    num_correct: int
    precision: float
    """Share of correct ones among all frames, with or without an estimate."""
    area: float
    """AUC of precision over recall as the confidence decreases; 0 without estimates."""


@dataclass(frozen=True)
class MapFreeScores:
    """Scores over all scenes."""

    num_frames: int
    """Number of scored frames, with or without an estimate."""
    num_estimates: int
    pose: Acceptance
    """Poses with errors below 0.25 m and 5 degrees."""
    vcre: Acceptance
    """Poses with a virtual correspondence error below 90 pixels."""
    mean_median_distance: float
    """Mean over the scenes of the median over their estimates, metres; NaN without estimates."""
    mean_median_angle_deg: float
    mean_median_vcre_px: float


def scored_frames(true: Mapping[str, Rigid3], step: int = FRAME_STEP) -> dict[str, Rigid3]:
    """Return every fifth true pose: those that the single-frame track scores.

    Args:
        true: query frame -> true pose, in the order of ``poses.txt``, without the reference frame.
        step: number of frames from one to the next.
    """
    return {name: pose for i, (name, pose) in enumerate(true.items()) if i % step == 0}


def map_free_scores(
    estimated: Mapping[str, Rigid3],
    confidences: Mapping[str, float],
    scenes: Mapping[str, Mapping[str, Rigid3]],
    cameras: Mapping[str, Camera],
) -> MapFreeScores:
    """Score estimated ``cam_from_world`` poses, where the world is the reference frame of a scene.

    Args:
        estimated: frame -> estimated pose. Frames without a true pose are ignored.
        confidences: frame -> confidence of its estimate, at least 0, of any scale.
        scenes: scene -> frame -> true pose; names are unique over all scenes.
        cameras: frame -> camera of the frame.

    Raises:
        HlocLiteError: no true poses, a frame in two scenes, an estimate without a confidence or a
            camera, or a confidence that is negative or not finite.
        FormatError: a camera with distortion, or without a focal length.
    """
    errors = {scene: query_errors(estimated, true) for scene, true in scenes.items()}
    names = [error.name for found in errors.values() for error in found]
    if not names:
        raise HlocLiteError("the ground truth has no poses: there is nothing to compare with")
    if len(set(names)) < len(names):
        raise HlocLiteError("names of frames must be unique over all scenes")
    given = [error for found in errors.values() for error in found if error.localized]
    _check_confidences(given, confidences, cameras)
    true = {name: pose for poses in scenes.values() for name, pose in poses.items()}
    vcre = {
        error.name: vcre_px(estimated[error.name], true[error.name], cameras[error.name])
        for error in given
    }
    order = np.array([confidences[error.name] for error in given], np.float64)
    is_pose = np.array([error.within(CORRECT_POSE) for error in given], bool)
    is_vcre = np.array([vcre[error.name] < MAX_VCRE_PX for error in given], bool)
    by_scene = [[error for error in found if error.localized] for found in errors.values()]
    return MapFreeScores(
        len(names),
        len(given),
        acceptance(ScoredAnswers(order, is_pose, len(names))),
        acceptance(ScoredAnswers(order, is_vcre, len(names))),
        _mean_of_medians([[error.distance for error in found] for found in by_scene]),
        _mean_of_medians([[error.angle_deg for error in found] for found in by_scene]),
        _mean_of_medians([[vcre[error.name] for error in found] for found in by_scene]),
    )


def acceptance(answers: ScoredAnswers) -> Acceptance:
    """Precision over all frames, and AUC over the confidence; ties are one step."""
    num_correct = int(answers.is_right.sum())
    area = risk_coverage(answers).precision_area if len(answers) else 0.0
    return Acceptance(num_correct, num_correct / max(1, answers.num_queries), area)


def precision_recall(answers: ScoredAnswers) -> tuple[Float64, Float64]:
    """Curve of the AUC: (T + 1,) recall, ascending from 0, and (T + 1,) precision, from 1.

    Recall is the share of accepted estimates among all frames, precision that of correct ones among
    the accepted.
    """
    curve = risk_coverage(answers)
    return np.append(0.0, curve.coverage), np.append(1.0, 1 - curve.risk)


def vcre_px(estimated: Rigid3, true: Rigid3, camera: Camera) -> float:
    """Virtual correspondence reprojection error of an estimated ``cam_from_world`` pose, pixels.

    The mean distance of the pixels of 196 virtual points before the true camera, where it sees them
    and where the estimated one does, both clamped to the image. As in the benchmark, points behind
    the estimated camera are projected by the same formula. Map units are metres.

    Raises:
        FormatError: a camera with distortion, or without a focal length.
    """
    matrix = _pinhole_matrix(camera)
    points = virtual_points()
    size = np.array([camera.width, camera.height])
    seen = estimated.compose(true.inverse()).apply(points)
    offsets = _clamped_pixels(seen, matrix, size) - _clamped_pixels(points, matrix, size)
    error = float(np.linalg.norm(offsets, axis=1).mean())
    return error if math.isfinite(error) else math.inf


def virtual_points() -> Float64:
    """(196, 3) virtual points in the frame of the true camera, metres.

    A grid of 7 x 4 x 7 points, 0.3 m apart, centred on the optical axis, from 1.8 m to 3.6 m before
    the camera.
    """
    x, y, z = (_GRID_STEP_M * np.arange(count) for count in _GRID_COUNTS)
    grid = np.meshgrid(x - x[-1] / 2, y - y[-1] / 2, z + _GRID_START_M, indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3)


def _pinhole_matrix(camera: Camera) -> Float64:
    if camera.model not in ("PINHOLE", "SIMPLE_PINHOLE"):
        raise FormatError(f"map-free relocalization has PINHOLE cameras, got {camera}")
    return calibration_matrix(camera)


def _clamped_pixels(points_in_cam: Float64, matrix: Float64, size: Float64) -> Float64:
    with np.errstate(all="ignore"):
        projected = points_in_cam @ matrix.T
        return np.clip(projected[:, :2] / projected[:, 2:], 0, size)


def _check_confidences(
    given: list[QueryError], confidences: Mapping[str, float], cameras: Mapping[str, Camera]
) -> None:
    for name in (error.name for error in given):
        if name not in confidences or name not in cameras:
            what = "camera" if name in confidences else "confidence"
            raise HlocLiteError(f"the estimate of {name!r} has no {what}")
        if not 0 <= confidences[name] < math.inf:
            raise HlocLiteError(
                f"{name!r}: a confidence is finite and at least 0, got {confidences[name]}"
            )


def _mean_of_medians(values: list[list[float]]) -> float:
    medians = [float(np.median(each)) for each in values if each]
    return float(np.mean(medians)) if medians else math.nan
