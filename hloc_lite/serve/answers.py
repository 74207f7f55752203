"""What a localization request is answered: found or not, the pose, how sure it is, and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from hloc_lite.geometry.frames import covariance_in_frame, pose_in_frame
from hloc_lite.io.results import result_to_json
from hloc_lite.mapping.georeference import Georeference
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.localization import Located
from hloc_lite.serve.query import Query
from hloc_lite.types import LocalizationResult, PoseEstimate, Rigid3

IN_FRAME = (
    "(position, rotation vector in rad about fixed axes) along the world axes of the frame asked "
    "for; lengths in {unit}"
)
IN_CAMERA = (
    "(rotation vector in rad, translation in map units), both a left perturbation in the camera "
    "frame (x right, y down, z forward): cam_from_world_true = exp(d) cam_from_world"
)


class Pose(BaseModel):
    """A camera pose in the frame that was asked for."""

    frame: str
    world: str
    """map: the map's coordinates; enu: metres east, north, up of its origin."""
    position: list[float]
    """Of the camera centre."""
    rotation_xyzw: list[float]
    convention: str
    """What position and rotation are, in words."""
    translation: list[float] | None = None
    """colmap only: t of x_cam = R x_world + t."""


class Covariance(BaseModel):
    """How uncertain the pose is, if it is the right one."""

    matrix: list[list[float]]
    """(6, 6), in the order of ROS's PoseWithCovariance."""
    frame: str
    """What its rows and columns are, in words."""
    position_std: list[float]
    """Standard deviations of the camera centre along x, y and z of the frame asked for."""
    position_std_m: float | None
    """Of the distance from the true place, metres, where the map is geo-referenced."""
    rotation_std_deg: float
    """Of the angle to the true orientation."""
    camera_matrix: list[list[float]]
    """(6, 6) in the camera frame and map units, whatever frame was asked for."""
    camera_frame: str
    """What the rows and columns of camera_matrix are, in words."""


class InMap(BaseModel):
    """Position and direction in the map's own coordinates, whatever frame was asked for."""

    center: list[float]
    looks: list[float]
    """Unit vector along the optical axis."""


class OneMap(BaseModel):
    """What the photo is in one of the maps."""

    map: str
    status: str
    reason: str
    confidence: float | None


class Answer(BaseModel):
    """The answer to a photo."""

    found: bool
    """Whether there is a pose."""
    status: str = Field(examples=["localized", "doubtful", "too_few_matches"])
    reason: str
    """One sentence for people."""
    map: str
    """The map that pose, status and reason are of: the most confident."""
    confidence: float | None
    """Calibrated probability that the pose is right; also of one that is withheld as doubtful."""
    confidence_class: str | None = Field(examples=["POOR", "FAIR", "GOOD", "EXCELLENT"])
    pose: Pose | None
    in_map: InMap | None
    geopose: dict[str, dict[str, float]] | None
    """OGC GeoPose (Basic-Quaternion), where the map is geo-referenced."""
    covariance: Covariance | None
    camera: dict[str, Any] | None
    """The intrinsics used, COLMAP's; estimated where they were not given."""
    counts: dict[str, int]
    times_ms: dict[str, float]
    """Wall time: upload, queue, decode, each stage in all maps together, and total: in the server,
    from the headers of the request."""
    skipped: list[str]
    """What was left out to keep the budget, or cannot be used."""
    peak_memory_mb: float | None
    maps: list[OneMap]
    """All maps that were tried."""
    request_id: str


def answer_of(
    found: Located, query: Query, times_ms: dict[str, float], request_id: str, config: ServeConfig
) -> Answer:
    """The answer of what was found.

    Raises:
        UnknownNameError: a frame that there is not.
    """
    result = found.best
    plain = result_to_json(result)
    confidence = plain["confidence"]
    georeference = found.best_map.georeference
    estimate = result.pose
    return Answer(
        found=estimate is not None,
        status=plain["status"],
        reason=plain["reason"],
        map=found.best_map.name,
        confidence=confidence,
        confidence_class=confidence_class(confidence, config),
        pose=None if estimate is None else _pose(estimate, found, query),
        in_map=None if estimate is None else _in_map(estimate),
        geopose=None
        if estimate is None or georeference is None
        else georeference.geopose(estimate.cam_from_world),
        covariance=None if estimate is None else _covariance(estimate, found, query),
        camera=plain["camera"],
        counts=plain["counts"],
        times_ms={**times_ms, **_stages(found)},
        skipped=list(found.skipped),
        peak_memory_mb=plain["peak_memory_mb"],
        maps=[_one_map(name, each) for name, each in found.results.items()],
        request_id=request_id,
    )


def confidence_class(confidence: float | None, config: ServeConfig) -> str | None:
    """OpenXR's word for a confidence."""
    if confidence is None:
        return None
    if confidence < config.min_fair:
        return "POOR"
    if confidence < config.min_good:
        return "FAIR"
    return "GOOD" if confidence < config.min_excellent else "EXCELLENT"


def _covariance(estimate: PoseEstimate, found: Located, query: Query) -> Covariance | None:
    """The covariance in the frame asked for; None if it is not known."""
    given = estimate.covariance
    if given is None or not np.isfinite(given).all():
        return None
    georeference, earth = found.best_map.georeference, _earth(found, query)
    matrix = given if earth is None else earth.covariance_in_enu(given)
    pose = _pose_in_world(estimate, found, query)
    in_frame = covariance_in_frame(pose, matrix, query.frame, query.world)
    std = np.sqrt(np.maximum(np.diag(in_frame), 0))
    distance = float(np.linalg.norm(std[:3]))
    metres_per_unit = None if georeference is None else georeference.metres_per_unit
    to_metres = metres_per_unit if earth is None else 1.0
    return Covariance(
        matrix=in_frame.tolist(),
        frame=IN_FRAME.format(unit="map units" if earth is None else "metres"),
        position_std=std[:3].tolist(),
        position_std_m=None if to_metres is None else distance * to_metres,
        rotation_std_deg=math.degrees(float(np.linalg.norm(std[3:]))),
        camera_matrix=given.tolist(),
        camera_frame=IN_CAMERA,
    )


def _pose(estimate: PoseEstimate, found: Located, query: Query) -> Pose:
    pose = _pose_in_world(estimate, found, query)
    value = pose_in_frame(pose, query.frame, query.world)
    return Pose.model_validate({"frame": query.frame, "world": query.world, **value})


def _earth(found: Located, query: Query) -> Georeference | None:
    """The world that was asked for, None if it is the map's own."""
    return found.best_map.georeference if query.world == "enu" else None


def _pose_in_world(estimate: PoseEstimate, found: Located, query: Query) -> Rigid3:
    earth = _earth(found, query)
    return estimate.cam_from_world if earth is None else earth.in_enu(estimate.cam_from_world)


def _in_map(estimate: PoseEstimate) -> InMap:
    pose = estimate.cam_from_world
    return InMap(center=pose.center.tolist(), looks=pose.rotation[2].tolist())


def _one_map(name: str, result: LocalizationResult) -> OneMap:
    return OneMap(
        map=name, status=str(result.status), reason=result.reason, confidence=result.confidence
    )


def _stages(found: Located) -> dict[str, float]:
    """Of all maps together, without their totals."""
    stages: dict[str, float] = {}
    for result in found.results.values():
        for stage, spent in result.timings_ms.items():
            if stage != "total":
                stages[stage] = round(stages.get(stage, 0.0) + spent, 3)
    return stages
