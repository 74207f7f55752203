"""The JSON answer to a localization request. Class names appear in the OpenAPI description."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hloc_lite.geometry.frames import covariance_in_frame, pose_in_frame
from hloc_lite.io.results import result_core
from hloc_lite.maps.georeference import Georeference
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.localization import MultiMapResult
from hloc_lite.serve.map_pool import ServedMap
from hloc_lite.serve.match_view import MatchView, match_view
from hloc_lite.serve.query import Query
from hloc_lite.types import PoseEstimate, Rigid3

COVARIANCE_FRAME = (
    "(position, rotation vector in rad about fixed axes) along the world axes of the frame asked "
    "for; lengths in {unit}"
)
CAMERA_COVARIANCE_FRAME = (
    "(rotation vector in rad, translation in map units), both a left perturbation in the camera "
    "frame (x right, y down, z forward): cam_from_world_true = exp(d) cam_from_world"
)


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Pose(_Model):
    """Camera pose in the requested frame."""

    frame: str
    """Name of the frame, see GET /v1/frames."""
    world: str
    """World coordinates: map (the map's own) or enu (metres east, north, up of its origin)."""
    position: list[float]
    """Camera centre (x, y, z): map units, or metres if world is enu."""
    rotation_xyzw: list[float]
    """Unit quaternion (x, y, z, w)."""
    convention: str
    """Meaning of position and rotation in this frame, in words."""
    translation: list[float] | None = None
    """Translation t of x_cam = R x_world + t; only in frame colmap."""


class Covariance(_Model):
    """Uncertainty of the pose, provided that it is a correct one."""

    matrix: list[list[float]]
    """(6, 6) covariance, in the order of ROS's PoseWithCovariance."""
    frame: str
    """Meaning of the rows and columns of matrix, in words."""
    position_std: list[float]
    """Standard deviations of the camera centre along x, y, z of the requested frame: map units, or
    metres if world is enu."""
    position_std_m: float | None
    """Root-mean-square distance to the true camera centre, metres; null if the scale of the
    map is unknown."""
    rotation_std_deg: float
    """Root-mean-square angle to the true orientation, degrees."""
    camera_matrix: list[list[float]]
    """(6, 6) covariance in the camera frame and map units, whatever frame was requested."""
    camera_frame: str
    """Meaning of the rows and columns of camera_matrix, in words."""


class InMap(_Model):
    """Camera centre and viewing direction in map coordinates, whatever frame was requested."""

    center: list[float]
    """Camera centre (x, y, z), map units."""
    looks: list[float]
    """Unit vector along the optical axis."""
    covariance: list[list[float]] | None
    """(3, 3) covariance of the camera centre, map units squared; null if unknown."""


class OneMap(_Model):
    """Result in one of the maps that were tried."""

    map: str
    """Name of the map."""
    status: str
    """Status in this map."""
    reason: str
    """Explanation of the status, one sentence."""
    confidence: float | None
    """Calibrated probability that the pose in this map is correct."""


class Answer(_Model):
    """Result of a localization request."""

    found: bool
    """True if the answer has a pose."""
    status: str = Field(examples=["localized", "doubtful", "too_few_matches"])
    """Outcome, as a fixed word."""
    reason: str
    """Explanation of the status, one sentence."""
    map: str
    """Name of the map with the most confident result; pose, status and reason refer to it."""
    confidence: float | None
    """Calibrated probability that the pose is correct; also given for a doubtful pose, which is
    itself withheld."""
    min_confidence: float | None
    """Confidence from which poses are given; above 1 if none is. Null if it was not judged."""
    max_wrong: float | None
    """Promised share of wrong answers among the given ones; null without a promise."""
    promise: str
    """The promise and its grounds, one sentence; empty without a promise."""
    confidence_class: str | None = Field(examples=["POOR", "FAIR", "GOOD", "EXCELLENT"])
    """Confidence as one of OpenXR's four classes."""
    pose: Pose | None
    """Camera pose in the requested frame; null if not localized."""
    in_map: InMap | None
    """Camera centre and viewing direction in map coordinates; null if not localized."""
    geopose: dict[str, dict[str, float]] | None
    """OGC GeoPose (Basic-Quaternion); null if the map is not geo-referenced."""
    covariance: Covariance | None
    """Uncertainty of the pose; null if unknown."""
    camera: dict[str, Any] | None
    """COLMAP camera (intrinsics) used; estimated if not given."""
    counts: dict[str, int]
    """Numbers of matches, inliers and others."""
    times_ms: dict[str, float]
    """Wall times, ms: upload, queue, decode, each stage (summed over the maps), and total, measured
    in the server from the request's headers."""
    skipped: list[str]
    """Steps skipped to keep the time budget, and inputs that could not be used."""
    peak_memory_mb: float | None
    """Peak memory of the process, MB."""
    maps: list[OneMap]
    """Results in all maps that were tried."""
    matches: MatchView | None = None
    """Matches with a map image; null unless the request asks for them, or without any."""
    request_id: str
    """Identifier of the request in the server's log."""


def make_answer(
    localization: MultiMapResult,
    query: Query,
    times_ms: dict[str, float],
    request_id: str,
    config: ServeConfig,
) -> Answer:
    """Convert the result of a photo to the answer that is sent.

    Raises:
        UnknownNameError: unknown frame.
    """
    result = localization.best
    best_map = localization.best_map
    estimate = result.pose
    core = result_core(result)
    core["skipped"] = list(localization.skipped)
    pose = in_map = geopose = covariance = None
    if estimate is not None:
        pose = _make_pose(estimate, best_map.georeference, query)
        in_map = InMap(
            center=estimate.cam_from_world.center.tolist(),
            looks=estimate.cam_from_world.rotation[2].tolist(),
            covariance=_center_covariance(estimate),
        )
        covariance = _make_covariance(estimate, best_map, query)
        if best_map.georeference is not None:
            geopose = best_map.georeference.geopose(estimate.cam_from_world)
    return Answer(
        **core,
        promise=result.promise,
        found=estimate is not None,
        map=best_map.name,
        confidence_class=confidence_class(core["confidence"], config),
        pose=pose,
        in_map=in_map,
        geopose=geopose,
        covariance=covariance,
        times_ms={**times_ms, **_sum_stage_times(localization)},
        maps=[
            OneMap(
                map=name, status=str(each.status), reason=each.reason, confidence=each.confidence
            )
            for name, each in localization.results.items()
        ],
        matches=match_view(result, best_map.localizer.map.model) if query.matches else None,
        request_id=request_id,
    )


def confidence_class(confidence: float | None, config: ServeConfig) -> str | None:
    """Return OpenXR's class of a confidence."""
    if confidence is None:
        return None
    if confidence < config.min_fair:
        return "POOR"
    if confidence < config.min_good:
        return "FAIR"
    return "GOOD" if confidence < config.min_excellent else "EXCELLENT"


def _center_covariance(estimate: PoseEstimate) -> list[list[float]] | None:
    if estimate.covariance is None or not np.isfinite(estimate.covariance).all():
        return None
    matrix = covariance_in_frame(estimate.cam_from_world, estimate.covariance, "colmap", "map")
    rows: list[list[float]] = matrix[:3, :3].tolist()
    return rows


def _make_covariance(
    estimate: PoseEstimate, served_map: ServedMap, query: Query
) -> Covariance | None:
    """Return the covariance in the requested frame, or None if it is unknown."""
    in_camera = estimate.covariance
    if in_camera is None or not np.isfinite(in_camera).all():
        return None
    georeference = served_map.georeference
    enu = georeference if query.world == "enu" else None
    matrix = in_camera if enu is None else enu.covariance_in_enu(in_camera)
    pose = _cam_from_requested_world(estimate, georeference, query)
    in_frame = covariance_in_frame(pose, matrix, query.frame, query.world)
    std = np.sqrt(np.maximum(np.diag(in_frame), 0))
    position_std = float(np.linalg.norm(std[:3]))
    to_metres = served_map.metres_per_unit if enu is None else 1.0
    return Covariance(
        matrix=in_frame.tolist(),
        frame=COVARIANCE_FRAME.format(unit="map units" if enu is None else "metres"),
        position_std=std[:3].tolist(),
        position_std_m=None if to_metres is None else position_std * to_metres,
        rotation_std_deg=math.degrees(float(np.linalg.norm(std[3:]))),
        camera_matrix=in_camera.tolist(),
        camera_frame=CAMERA_COVARIANCE_FRAME,
    )


def _make_pose(estimate: PoseEstimate, georeference: Georeference | None, query: Query) -> Pose:
    pose = _cam_from_requested_world(estimate, georeference, query)
    value = pose_in_frame(pose, query.frame, query.world)
    return Pose.model_validate({"frame": query.frame, "world": query.world, **value})


def _cam_from_requested_world(
    estimate: PoseEstimate, georeference: Georeference | None, query: Query
) -> Rigid3:
    if query.world == "map" or georeference is None:
        return estimate.cam_from_world
    return georeference.in_enu(estimate.cam_from_world)


def _sum_stage_times(localization: MultiMapResult) -> dict[str, float]:
    """Return the time of each stage summed over all maps, ms; without the maps' totals."""
    stages: dict[str, float] = {}
    for result in localization.results.values():
        for stage, spent_ms in result.timings_ms.items():
            if stage != "total":
                stages[stage] = round(stages.get(stage, 0.0) + spent_ms, 3)
    return stages
