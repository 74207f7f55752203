"""Localization results as JSON lines: one query per line, no NaN, a schema version in each.

Features and correspondences are not stored. A result that is read back has the right number of
inliers, but no longer tells which correspondences they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.geometry.rotations import (
    quat_wxyz_from_rotation,
)
from hloc_lite.io.files import atomic_path, read_text
from hloc_lite.io.result_values import (
    checked_text,
    estimate_from_json,
    loads_finite,
    number_or_none,
    pose_from_json,
    share_or_none,
    view_from_json,
)
from hloc_lite.types import (
    Camera,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
    ViewComparison,
)

SCHEMA_VERSION = 1


class ResultCore(TypedDict):
    """Fields of a result that files and the HTTP service have in common."""

    status: str
    reason: str
    confidence: float | None
    min_confidence: float | None
    """Confidence from which poses are given."""
    max_wrong: float | None
    """Promised share of wrong answers among the given ones."""
    camera: dict[str, Any] | None
    """COLMAP model, width, height, params and has_prior_focal; None without a pose."""
    counts: dict[str, int]
    skipped: list[str]
    peak_memory_mb: float | None


class ResultJson(ResultCore):
    """A line of a results file."""

    schema_version: int
    name: str
    pose: dict[str, list[float]] | None
    """cam_from_world as quat_wxyz and translation, and the camera's center."""
    covariance: list[list[float]] | None
    num_inliers: int | None
    num_correspondences: int | None
    num_trials: int | None
    timings_ms: dict[str, float | None]
    retrieved: dict[str, list[Any]]
    """names and similarities."""
    ambiguity: float | None
    promise: str
    """The promise and its grounds; empty without one."""
    grounds: dict[str, float | None]
    fallback: dict[str, Any] | None
    """name and pose of the retrieved image that stands in for a missing pose."""
    views: NotRequired[list[dict[str, Any]]]
    """Locations that were compared with views of the map's surface, that of the pose first: pose,
    agreement, inverse_distance, valid_share, score. Absent without a surface."""


def result_core(result: LocalizationResult) -> ResultCore:
    """Return the common fields as plain JSON values; numbers that are not finite become None."""
    core: ResultCore = _without_nan(
        {
            "status": str(result.status),
            "reason": result.reason,
            "confidence": result.confidence,
            "min_confidence": result.min_confidence,
            "max_wrong": result.max_wrong,
            "camera": None if result.pose is None else _camera_to_json(result.pose.camera),
            "counts": {key: int(count) for key, count in result.counts.items()},
            "skipped": list(result.skipped),
            "peak_memory_mb": result.peak_memory_mb,
        }
    )
    return core


def result_to_json(result: LocalizationResult) -> ResultJson:
    """Return a result as plain JSON values; numbers that are not finite become None."""
    pose, core = result.pose, result_core(result)
    value: ResultJson = _without_nan(
        {
            "schema_version": SCHEMA_VERSION,
            "name": result.query_name,
            "status": core["status"],
            "reason": core["reason"],
            "pose": None if pose is None else _pose_to_json(pose.cam_from_world),
            "covariance": None if pose is None else _covariance_to_json(pose),
            "num_inliers": None if pose is None else pose.num_inliers,
            "num_correspondences": None if pose is None else len(pose.inlier_mask),
            "num_trials": None if pose is None else int(pose.num_trials),
            "camera": core["camera"],
            "counts": core["counts"],
            "timings_ms": {key: float(time_ms) for key, time_ms in result.timings_ms.items()},
            "retrieved": {
                "names": list(result.hits.names),
                "similarities": [float(similarity) for similarity in result.hits.similarities],
            },
            "ambiguity": result.ambiguity,
            "confidence": core["confidence"],
            "min_confidence": core["min_confidence"],
            "max_wrong": core["max_wrong"],
            "promise": result.promise,
            "grounds": {key: float(value) for key, value in result.grounds.items()},
            "skipped": core["skipped"],
            "peak_memory_mb": core["peak_memory_mb"],
            "fallback": _fallback_to_json(result),
            **({"views": list(map(_view_to_json, result.views))} if result.views else {}),
        }
    )
    return value


def write_results_jsonl(path: Path, results: Iterable[LocalizationResult]) -> None:
    """Write one line per result, atomically; ``results`` may be a generator.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(result_line(result) for result in results)


def result_line(result: LocalizationResult) -> str:
    """Return the result as one JSON line that ends in a newline."""
    line = json.dumps(result_to_json(result), ensure_ascii=False, allow_nan=False)
    # JSON allows these three in strings, but some readers end a line there
    for separator in "\u0085\u2028\u2029":
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line + "\n"


def read_results_jsonl(path: Path) -> list[LocalizationResult]:
    """Read results of ``write_results_jsonl``; they have no features and correspondences.

    Raises:
        FormatError: an invalid line (with its number), or a query listed twice.
    """
    results: dict[str, LocalizationResult] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        result = _parse_line(line, where)
        if result.query_name in results:
            raise FormatError(f"{where}: {result.query_name!r} is listed twice")
        results[result.query_name] = result
    return list(results.values())


def result_from_json(value: Mapping[str, Any]) -> LocalizationResult:
    """Convert a value of ``result_to_json`` back; features and correspondences are None.

    Raises:
        FormatError: another schema version, or a key that is missing or of another type.
    """
    version = value.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FormatError(f"expected results of schema version {SCHEMA_VERSION}, got {version!r}")
    try:
        return _result_from_json(value)
    except KeyError as error:
        raise FormatError(f"the result lacks the key {error}") from None
    except (AttributeError, TypeError, ValueError, OverflowError, HlocLiteError) as error:
        raise FormatError(f"the result has a bad value: {error}") from None


def _result_from_json(value: Mapping[str, Any]) -> LocalizationResult:
    status = Status(value["status"])
    if (value["pose"] is not None) != (status is Status.LOCALIZED):
        raise FormatError(f"status {status} does not go with pose {value['pose']}")
    retrieved = value["retrieved"]
    fallback = value["fallback"]
    return LocalizationResult(
        query_name=checked_text(value["name"]),
        status=status,
        reason=checked_text(value["reason"]),
        pose=None if value["pose"] is None else estimate_from_json(value),
        correspondences=None,
        features=None,
        hits=RetrievalHits(tuple(retrieved["names"]), np.array(retrieved["similarities"])),
        counts={key: int(count) for key, count in value["counts"].items()},
        timings_ms={key: float(time_ms) for key, time_ms in value["timings_ms"].items()},
        fallback=None if fallback is None else pose_from_json(fallback["pose"]),
        fallback_name=None if fallback is None else fallback["name"],
        ambiguity=number_or_none(value.get("ambiguity")),
        confidence=share_or_none(value.get("confidence")),
        grounds={key: float(number) for key, number in value.get("grounds", {}).items()},
        skipped=tuple(checked_text(step) for step in value.get("skipped", ())),
        peak_memory_mb=number_or_none(value.get("peak_memory_mb")),
        min_confidence=number_or_none(value.get("min_confidence")),
        max_wrong=share_or_none(value.get("max_wrong")),
        promise=checked_text(value.get("promise", "")),
        views=tuple(map(view_from_json, value.get("views", ()))),
    )


def _view_to_json(view: ViewComparison) -> dict[str, Any]:
    return {
        "pose": _pose_to_json(view.cam_from_world),
        "agreement": view.agreement,
        "inverse_distance": view.inverse_distance,
        "valid_share": view.valid_share,
        "score": view.score,
    }


def _parse_line(line: str, where: str) -> LocalizationResult:
    try:
        value = loads_finite(line)
        if not isinstance(value, dict):
            raise FormatError(f"expected a JSON object, got {line[:80]!r}")
        return result_from_json(value)
    except (ValueError, RecursionError, FormatError) as error:
        raise FormatError(f"{where}: {error}") from None


def _pose_to_json(cam_from_world: Rigid3) -> dict[str, list[float]]:
    return {
        "quat_wxyz": quat_wxyz_from_rotation(cam_from_world.rotation).tolist(),
        "translation": cam_from_world.translation.tolist(),
        "center": cam_from_world.center.tolist(),
    }


def _covariance_to_json(pose: PoseEstimate) -> list[list[float]] | None:
    if pose.covariance is None or not np.isfinite(pose.covariance).all():
        return None
    return pose.covariance.tolist()


def _camera_to_json(camera: Camera) -> dict[str, Any]:
    return {
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": camera.params.tolist(),
        "has_prior_focal": camera.has_prior_focal,
    }


def _fallback_to_json(result: LocalizationResult) -> dict[str, Any] | None:
    if result.fallback is None:
        return None
    return {"name": result.fallback_name, "pose": _pose_to_json(result.fallback)}


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value
