"""Localization results as JSON lines: one query a line, no NaN, a schema version in each.

Left out are features and correspondences; a result read back has the right number of inliers, but
which correspondences they were is not known any more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.io.files import atomic_path, read_text
from hloc_lite.types import (
    Camera,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
)

SCHEMA_VERSION = 1
MAX_CORRESPONDENCES = 10**8
"""No query has more; what a file claims is allocated."""


def result_to_json(result: LocalizationResult) -> dict[str, Any]:
    """A result in plain JSON values; numbers that are not finite become null."""
    pose = result.pose
    value = {
        "schema_version": SCHEMA_VERSION,
        "name": result.query_name,
        "status": str(result.status),
        "reason": result.reason,
        "pose": None if pose is None else _pose_to_json(pose.cam_from_world),
        "covariance": None if pose is None else _covariance_to_json(pose),
        "num_inliers": None if pose is None else pose.num_inliers,
        "num_correspondences": None if pose is None else len(pose.inlier_mask),
        "num_trials": None if pose is None else int(pose.num_trials),
        "camera": None if pose is None else _camera_to_json(pose.camera),
        "counts": {key: int(count) for key, count in result.counts.items()},
        "timings_ms": {key: float(time_ms) for key, time_ms in result.timings_ms.items()},
        "retrieved": {
            "names": list(result.hits.names),
            "similarities": [float(similarity) for similarity in result.hits.similarities],
        },
        "ambiguity": result.ambiguity,
        "confidence": result.confidence,
        "grounds": {key: float(value) for key, value in result.grounds.items()},
        "skipped": list(result.skipped),
        "peak_memory_mb": result.peak_memory_mb,
        "fallback": _fallback_to_json(result),
    }
    plain: dict[str, Any] = _without_nan(value)
    return plain


def write_results_jsonl(path: Path, results: Iterable[LocalizationResult]) -> None:
    """Write one line per result; ``results`` may be a generator, nothing is kept.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(result_line(result) for result in results)


def result_line(result: LocalizationResult) -> str:
    """One JSON line with its line end."""
    line = json.dumps(result_to_json(result), ensure_ascii=False, allow_nan=False)
    # these three end a line for some readers, but may stand in JSON strings
    for separator in "\u0085\u2028\u2029":
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line + "\n"


def read_results_jsonl(path: Path) -> list[LocalizationResult]:
    """Results of ``write_results_jsonl``, without features and correspondences.

    Raises:
        FormatError: a line that is none of its lines (with its number), or a name twice.
    """
    results: dict[str, LocalizationResult] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        result = _parse_line(line, where)
        if result.query_name in results:
            raise FormatError(f"{where}: {result.query_name!r} is there twice")
        results[result.query_name] = result
    return list(results.values())


def result_from_json(value: Mapping[str, Any]) -> LocalizationResult:
    """The result of a value of ``result_to_json``.

    Raises:
        FormatError: another schema version, or a key missing or of another type.
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
        query_name=_text(value["name"]),
        status=status,
        reason=_text(value["reason"]),
        pose=None if value["pose"] is None else _estimate_from_json(value),
        correspondences=None,
        features=None,
        hits=RetrievalHits(tuple(retrieved["names"]), np.array(retrieved["similarities"])),
        counts={key: int(count) for key, count in value["counts"].items()},
        timings_ms={key: float(time_ms) for key, time_ms in value["timings_ms"].items()},
        fallback=None if fallback is None else _pose_from_json(fallback["pose"]),
        fallback_name=None if fallback is None else fallback["name"],
        ambiguity=_number_or_none(value.get("ambiguity")),
        confidence=_number_or_none(value.get("confidence")),
        grounds={key: float(number) for key, number in value.get("grounds", {}).items()},
    )


def _number_or_none(value: Any) -> float | None:
    return None if value is None else float(value)


def _parse_line(line: str, where: str) -> LocalizationResult:
    try:
        value = json.loads(line)
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


def _pose_from_json(value: Mapping[str, Any]) -> Rigid3:
    translation = np.array(value["translation"], np.float64)
    if not np.isfinite(translation).all():
        raise FormatError(f"a translation needs finite numbers, got {value['translation']}")
    return Rigid3(rotation_from_quat_wxyz(value["quat_wxyz"]), translation)


def _covariance_to_json(pose: PoseEstimate) -> list[list[float]] | None:
    known = pose.covariance is not None and np.isfinite(pose.covariance).all()
    return pose.covariance.tolist() if known and pose.covariance is not None else None


def _camera_to_json(camera: Camera) -> dict[str, Any]:
    return {
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": camera.params.tolist(),
        "has_prior_focal": camera.has_prior_focal,
    }


def _estimate_from_json(value: Mapping[str, Any]) -> PoseEstimate:
    camera = value["camera"]
    covariance = value["covariance"]
    num_inliers, num_all = int(value["num_inliers"]), int(value["num_correspondences"])
    if not 0 <= num_inliers <= num_all <= MAX_CORRESPONDENCES:
        raise FormatError(f"{num_inliers} inliers of {num_all} correspondences cannot be")
    return PoseEstimate(
        cam_from_world=_pose_from_json(value["pose"]),
        inlier_mask=np.arange(num_all) < num_inliers,
        num_trials=int(value["num_trials"]),
        covariance=None if covariance is None else np.array(covariance, np.float64),
        camera=Camera(
            camera["model"],
            int(camera["width"]),
            int(camera["height"]),
            np.array(camera["params"], np.float64),
            bool(camera["has_prior_focal"]),
        ),
    )


def _fallback_to_json(result: LocalizationResult) -> dict[str, Any] | None:
    if result.fallback is None:
        return None
    return {"name": result.fallback_name, "pose": _pose_to_json(result.fallback)}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value
