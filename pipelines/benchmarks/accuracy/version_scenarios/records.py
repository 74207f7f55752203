"""Results of queries as plain records: all that they say, but for texts and times."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]
ATTRIBUTES = {"grounds": ("grounds", "pose_quality")}
"""Attributes of results that had other names in other versions."""


def record_of(result: Any) -> Record:
    """A ``LocalizationResult``."""
    pose, fallback = result.pose, result.fallback
    return {
        "name": result.query_name,
        "status": str(result.status),
        "pose": None
        if pose is None
        else {
            **_rigid(pose.cam_from_world),
            "num_trials": pose.num_trials,
            "camera": [pose.camera.model, pose.camera.params, pose.camera.has_prior_focal],
        },
        "covariance": None if pose is None else pose.covariance,
        "inliers": None if pose is None else pose.inlier_mask,
        "correspondences": _correspondences(result.correspondences),
        "features": _features(result.features),
        "retrieval": [list(result.hits.names), result.hits.similarities],
        "counts": dict(result.counts),
        "confidence": [result.confidence, result.ambiguity],
        "pose quality": dict(_attribute(result, "grounds")),
        "cues": {cue.name: [cue.factors, cue.touched] for cue in result.cues},
        "fallback": None if fallback is None else [_rigid(fallback), result.fallback_name],
        "steps left out": len(result.skipped),
    }


def rig_record_of(name: str, result: Any) -> Record:
    """A ``RigLocalizationResult``."""
    pose = result.pose
    return {
        "name": name,
        "status": str(result.status),
        "pose": None
        if pose is None
        else {**_rigid(pose.rig_from_world), "num_trials": pose.num_trials},
        "covariance": None if pose is None else pose.covariance,
        "inliers": None if pose is None else list(pose.inlier_masks),
        "correspondences": [_correspondences(each) for each in result.correspondences],
        "unreadable": sorted(result.unreadable),
    }


def _attribute(owner: Any, name: str) -> Any:
    """An attribute under the name that the version knows."""
    return getattr(owner, next((each for each in ATTRIBUTES[name] if hasattr(owner, each)), name))


def _rigid(a_from_b: Any) -> Record:
    return {"rotation": a_from_b.rotation, "translation": a_from_b.translation}


def _correspondences(found: Any) -> Record | None:
    names = ("points2D", "points3D", "keypoint_idxs", "point3D_idxs", "weights", "bound_factors")
    return None if found is None else {name: getattr(found, name) for name in names}


def _features(found: Any) -> Record | None:
    """Digests of the arrays, which are too large to keep."""
    names = ("keypoints", "descriptors", "scores", "scales", "orientations_rad")
    arrays = {} if found is None else {name: getattr(found, name) for name in names}
    return {
        name: None
        if array is None
        else hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        for name, array in arrays.items()
    }


def write_records(path: Path, records: list[Record]) -> None:
    """PATH.npz with the arrays, PATH.json with all else and ``{"array": key}`` in their place."""
    arrays: dict[str, Any] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            key = str(len(arrays))
            arrays[key] = value
            return {"array": key}
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return value.item() if isinstance(value, np.generic) else value

    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.json").write_text(json.dumps(plain(records)), encoding="utf-8")
    np.savez_compressed(f"{path}.npz", **arrays)


def read_records(path: Path) -> dict[str, Any]:
    """Item -> query -> value of the records in PATH.json and PATH.npz."""
    with np.load(path.with_suffix(".npz")) as file:
        arrays = dict(file)

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"array"}:
                return arrays[value["array"]]
            return {key: filled(each) for key, each in value.items()}
        return [filled(each) for each in value] if isinstance(value, list) else value

    items: dict[str, Any] = {}
    for number, record in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        query = f"{number} {record.pop('name')}"
        for item, value in record.items():
            items.setdefault(item, {})[query] = filled(value)
    return items
