"""hloc's log of a localization, ``<results>_logs.pkl``, read without unpickling it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.hloc.log_values import HlocLog, LoggedEstimate, LoggedQuery
from hloc_lite.formats.hloc.names import PIXEL_OFFSET
from hloc_lite.formats.hloc.pickled import PickledArray, PickledObject, read_pickle
from hloc_lite.formats.pose_text import pose_from_quat
from hloc_lite.io.image_names import is_unicode, leads_out, normalize_name
from hloc_lite.types import Bool, Int64, Rigid3

INLOC_FIELDS = ("keypoints_db", "3d_points", "indices_db")
"""Fields of the log of hloc's InLoc script, whose keypoints are in hloc's pixels; those of the
other script are in COLMAP's."""
MAX_NAME = 4096
"""Longer names and paths are refused: a pickle can contain one long text many times."""
MASK_FIELDS = ("inlier_mask", "inliers")
"""Names of the inlier mask in the answers of new and old pycolmap."""


def read_log(path: Path) -> HlocLog:
    """Read a log of hloc's ``localize_sfm`` or ``localize_inloc``; no code of the file is run.

    The map from keypoints to map images is left out.

    Raises:
        FormatError: no pickle, values of unexpected kinds, or another layout.
    """
    log = _fields(read_pickle(path), str(path))
    source = _Source(str(path), budget=4 * path.stat().st_size + 1000)
    queries = {}
    for name, entry in _fields(log.get("loc"), f"{path}: 'loc'").items():
        if not _is_image_name(name):
            raise FormatError(f"{path}: {name[:200]!r} is no image name")
        normal = normalize_name(name)
        if normal in queries:
            raise FormatError(f"{path}: query {normal!r} is logged twice")
        queries[normal] = _query(_fields(entry, f"{path}: {name!r}"), source.of(name))
    paths = {key: _path_text(log.get(key)) for key in ("features", "matches", "retrieval")}
    return HlocLog(**paths, queries=queries)


class _Source:
    """Part of a file that is being read, and how many more list entries it can hold.

    A small pickle can contain one long list many times.
    """

    def __init__(self, where: str, budget: int) -> None:
        self.where, self._left = where, [budget]

    def of(self, part: str) -> _Source:
        """Source of a part, with the same budget."""
        child = _Source(f"{self.where}: {part!r}", 0)
        child._left = self._left
        return child

    def spend(self, count: int) -> None:
        self._left[0] -= count
        if self._left[0] < 0:
            raise FormatError(f"{self.where}: one list stands for more values than the file holds")


def _query(entry: Mapping[str, Any], source: _Source) -> LoggedQuery:
    retrieved = _images(_first(entry, ("db", "db_ids")), source)
    if "log_clusters" not in entry:
        return LoggedQuery(map_images=retrieved, estimate=_estimate(entry, retrieved, source))
    clusters = _list(entry["log_clusters"], source)
    estimates = tuple(
        _cluster(_fields(each, source.where), source.of(f"cluster {number}"))
        for number, each in enumerate(clusters)
    )
    best = entry.get("best_cluster")
    if best is not None and not (type(best) is int and 0 <= best < len(estimates)):
        raise FormatError(f"{source.where}: best_cluster {best!r} of {len(estimates)} clusters")
    estimate = None if best is None else estimates[best]
    return LoggedQuery(map_images=retrieved, estimate=estimate, clusters=estimates)


def _cluster(entry: Mapping[str, Any], source: _Source) -> LoggedEstimate:
    return _estimate(entry, _images(_first(entry, ("db", "cluster_ids")), source), source)


def _estimate(
    entry: Mapping[str, Any], images: tuple[str, ...] | tuple[int, ...], source: _Source
) -> LoggedEstimate:
    answer = entry.get("PnP_ret")
    result = {} if answer is None else _fields(answer, f"{source.where}: 'PnP_ret'")
    pose = _pose(result, source) if result.get("success", bool(result)) else None
    keypoints = _numbers(entry.get("keypoints_query"), source, "keypoints_query")
    keypoints = keypoints.astype(np.float64).reshape(keypoints.shape if keypoints.size else (0, 2))
    if any(field in entry for field in INLOC_FIELDS):
        keypoints = keypoints + PIXEL_OFFSET
    ids = entry.get("points3D_ids")
    mask = _first(result, MASK_FIELDS)
    try:
        estimate = LoggedEstimate(
            map_images=images,
            cam_from_world=pose,
            num_inliers=0 if pose is None else _count(result, "num_inliers", source),
            inlier_mask=None if mask is None or pose is None else _mask(mask, source),
            keypoints=keypoints,
            point3D_ids=None if ids is None else _point_ids(ids, source),
            num_matches=_count(entry, "num_matches", source),
        )
    except ShapeError as error:
        raise FormatError(f"{source.where}: {error}") from None
    if not np.isfinite(estimate.keypoints).all():
        raise FormatError(f"{source.where}: keypoints must be finite")
    _check_inliers(estimate, source)
    return estimate


def _check_inliers(estimate: LoggedEstimate, source: _Source) -> None:
    mask = estimate.inlier_mask
    if mask is not None and int(mask.sum()) != estimate.num_inliers:
        raise FormatError(
            f"{source.where}: {estimate.num_inliers} inliers, but the mask has {int(mask.sum())}"
        )


def _pose(result: Mapping[str, Any], source: _Source) -> Rigid3:
    """Pose of an answer: pycolmap's object, or ``qvec`` and ``tvec`` of older versions."""
    if "cam_from_world" in result:
        quat, translation = _rigid_state(result["cam_from_world"], source)
    else:
        quat = _numbers(result.get("qvec"), source, "qvec")
        translation = _numbers(result.get("tvec"), source, "tvec")
    return pose_from_quat(quat, translation, source.where)


def _rigid_state(value: Any, source: _Source) -> tuple[Any, Any]:
    """Quaternion (wxyz) and translation of pycolmap's ``Rigid3d``, which stores xyzw."""
    state = _state(value, "Rigid3d", source)
    rotation = _state(state.get("rotation"), "Rotation3d", source)
    quat = _numbers(rotation.get("quat"), source, "quat")
    return np.roll(quat, 1), _numbers(state.get("translation"), source, "translation")


def _state(value: Any, name: str, source: _Source) -> Mapping[str, Any]:
    if not isinstance(value, PickledObject) or value.name != name:
        raise FormatError(f"{source.where}: expected pycolmap's {name}")
    return _fields(value.state, f"{source.where}: {name}")


def _fields(value: Any, where: str) -> Mapping[str, Any]:
    if type(value) is not dict:
        raise FormatError(f"{where}: expected named values, got {type(value).__name__}")
    return value


def _first(entry: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in names if name in entry), None)


def _list(value: Any, source: _Source) -> list[Any]:
    if type(value) not in (list, tuple):
        raise FormatError(f"{source.where}: expected a list, got {type(value).__name__}")
    source.spend(len(value))
    return list(value)


def _images(value: Any, source: _Source) -> tuple[str, ...] | tuple[int, ...]:
    items = _list(value, source)
    kinds = {type(item) for item in items}
    if kinds == {str}:
        bad = [name for name in items if not _is_image_name(name)]
        if bad:
            raise FormatError(f"{source.where}: {bad[0][:200]!r} is no image name")
        return tuple(normalize_name(name) for name in items)
    if not kinds <= {int}:
        raise FormatError(f"{source.where}: expected names or ids of map images")
    return tuple(items)


def _is_image_name(name: str) -> bool:
    if not 0 < len(name) <= MAX_NAME or not is_unicode(name):
        return False
    return not leads_out(name) and "\n" not in name


def _numbers(value: Any, source: _Source, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Array of numbers, stored as such or as a list of numbers."""
    if isinstance(value, PickledArray) and value.array is not None:
        source.spend(value.array.size)
        return value.array
    items = _list(value, source) if type(value) in (list, tuple) else None
    if items is None or not {type(item) for item in items} <= {bool, int, float}:
        raise FormatError(f"{source.where}: expected numbers in {name!r}")
    try:
        return np.array(items, np.float64)
    except OverflowError:
        raise FormatError(f"{source.where}: a number in {name!r} is too large") from None


def _mask(value: Any, source: _Source) -> Bool:
    return _numbers(value, source, "inliers") != 0


def _point_ids(value: Any, source: _Source) -> Int64:
    """Point ids, exact also beyond the integers that a float can hold."""
    if type(value) is not list:
        array = _numbers(value, source, "points3D_ids")
        if array.dtype.kind not in "iu":
            raise FormatError(f"{source.where}: expected whole numbers in 'points3D_ids'")
        value = array.tolist()
    items = _list(value, source)
    if not all(type(item) is int and 0 <= item < 2**63 for item in items):
        raise FormatError(f"{source.where}: expected ids in 'points3D_ids'")
    return np.array(items, np.int64)


def _count(entry: Mapping[str, Any], name: str, source: _Source) -> int:
    value = entry.get(name)
    if type(value) is not int or not 0 <= value < 2**31:
        raise FormatError(f"{source.where}: expected a count {name!r}, got {str(value)[:40]!r}")
    return value


def _path_text(value: Any) -> str:
    """Text of a path, which is stored as an object of its parts."""
    if isinstance(value, PickledObject):
        parts = [part for part in value.arguments if type(part) is str]
        is_short = sum(map(len, parts)) <= MAX_NAME
        return "/".join(part.rstrip("/") for part in parts) if is_short else ""
    return value if type(value) is str and len(value) <= MAX_NAME else ""
