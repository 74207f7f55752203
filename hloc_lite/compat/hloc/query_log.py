"""hloc's log of a localization, written with plain values only."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.geometry.rotations import rotation_from_quat_wxyz
from hloc_lite.io.files import atomic_path
from hloc_lite.types import Rigid3

NOT_LOGGED = ("cam_from_world", "camera")
"""pycolmap's objects in an answer; the log has ``qvec`` and ``tvec`` in their place."""


def pose_of(entry: Mapping[str, Any]) -> Rigid3 | None:
    """Estimated pose in the log of a query; None if there is none."""
    if entry.get("covisibility_clustering"):
        best = entry["best_cluster"]
        answer = None if best is None else entry["log_clusters"][best]["PnP_ret"]
    else:
        answer = entry["PnP_ret"]
    if answer is None:
        return None
    return Rigid3(rotation_from_quat_wxyz(answer["qvec"].tolist()), answer["tvec"])


def write_log(
    path: Path, features: str, matches: str, retrieval: str, entries: Mapping[str, Any]
) -> None:
    """Write a log that hloc's tools read: dictionaries, lists, numbers and arrays.

    Args:
        path: file to write.
        features: path of the features.
        matches: path of the matches.
        retrieval: path of the retrieval list.
        entries: log of each query.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    log = {
        "features": features,
        "matches": matches,
        "retrieval": retrieval,
        "loc": {name: _plain(entry) for name, entry in entries.items()},
    }
    with atomic_path(path) as partial, partial.open("wb") as file:
        pickle.dump(log, file, protocol=4)


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Entry without objects of other packages."""
    if "log_clusters" in entry:
        return {**entry, "log_clusters": [_plain(each) for each in entry["log_clusters"]]}
    answer = entry["PnP_ret"]
    if answer is None:
        none = np.zeros(len(entry["keypoints_query"]), bool)
        kept: dict[str, Any] = {"success": False, "num_inliers": 0, "inlier_mask": none}
    else:
        kept = {key: value for key, value in answer.items() if key not in NOT_LOGGED}
    return {**entry, "PnP_ret": kept}
