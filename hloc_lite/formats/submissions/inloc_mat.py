"""InLoc's own results: a MATLAB file with the best cutouts of each query and the poses from them.

``ImgList`` is an array of structs with ``queryname``, ``topNname`` (cell of cutouts), ``topNscore``
(row of numbers, higher is better) and ``P`` (cell of 3 x 4 matrices, cam_from_floor; NaN without a
pose). The authors' MATLAB programs read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import image_name, pose_from_matrix
from hloc_lite.io.files import atomic_path
from hloc_lite.io.matlab import read_variable
from hloc_lite.types import Rigid3

VARIABLE, FIELDS = "ImgList", ("queryname", "topNname", "topNscore", "P")


@dataclass(frozen=True, eq=False)
class RankedPose:
    """Cutout that a query was matched with, and the pose from it."""

    cutout: str
    score: float
    cam_from_floor: Rigid3 | None
    """None if no pose was found."""


@dataclass(frozen=True, eq=False)
class RankedPoses:
    """Cutouts and poses of a query, best first."""

    query: str
    ranked: tuple[RankedPose, ...]


def write_img_list(path: Path, queries: Sequence[RankedPoses]) -> None:
    """Write the cutouts and poses of queries, in their order.

    Raises:
        HlocLiteError: the folder cannot be written.
    """
    from scipy.io import savemat

    rows = np.empty((1, len(queries)), [(field, object) for field in FIELDS])
    for index, query in enumerate(queries):
        rows[0, index] = (
            query.query,
            _cell([each.cutout for each in query.ranked]),
            np.array([[each.score for each in query.ranked]], np.float64),
            _cell([_matrix(each.cam_from_floor) for each in query.ranked]),
        )
    with atomic_path(path) as partial:
        savemat(str(partial), {VARIABLE: rows}, appendmat=False, do_compression=True)


def read_img_list(path: Path) -> list[RankedPoses]:
    """Read the cutouts and poses of queries, in the order of the file.

    Raises:
        FormatError: missing, damaged, or another layout.
    """
    found = np.asarray(read_variable(path, VARIABLE))
    missing = [field for field in FIELDS if field not in (found.dtype.names or ())]
    if missing:
        raise FormatError(
            f"{path}: expected structs {VARIABLE} with {', '.join(FIELDS)}; without {missing[0]}"
        )
    queries = [_ranked(row, path) for row in found.ravel()]
    names = [each.query for each in queries]
    if len(set(names)) < len(names):
        raise FormatError(f"{path}: a query is listed twice")
    return queries


def _cell(values: Sequence[object]) -> np.ndarray:
    cell = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        cell[0, index] = value
    return cell


def _matrix(pose: Rigid3 | None) -> np.ndarray:
    return np.full((3, 4), np.nan) if pose is None else pose.matrix[:3]


def _ranked(row: Any, path: Path) -> RankedPoses:
    query = _name(row["queryname"], path)
    names = [_name(each, path) for each in np.asarray(row["topNname"], object).ravel()]
    scores = np.asarray(row["topNscore"]).ravel()
    matrices = list(np.asarray(row["P"], object).ravel())
    if scores.dtype.kind not in "fiu" or not len(names) == len(scores) == len(matrices):
        raise FormatError(
            f"{path}: {query!r} has {len(names)} cutouts, {len(scores)} scores and "
            f"{len(matrices)} poses; expected one of each"
        )
    triples = zip(names, scores.astype(float).tolist(), matrices, strict=True)
    where = f"{path}, {query!r}"
    return RankedPoses(query, tuple(RankedPose(n, s, _pose(m, where)) for n, s, m in triples))


def _name(value: Any, path: Path) -> str:
    texts = np.asarray(value).ravel()
    if len(texts) != 1 or not isinstance(texts[0], str) or not texts[0].strip():
        raise FormatError(f"{path}: expected a name, got {str(value)[:80]!r}")
    return image_name(str(texts[0]).strip().replace("\\", "/"), str(path))


def _pose(value: Any, where: str) -> Rigid3 | None:
    matrix = np.asarray(value)
    if matrix.size == 0:
        return None
    if matrix.shape not in ((3, 4), (4, 4)) or matrix.dtype.kind not in "fiu":
        raise FormatError(f"{where}: expected a matrix P of 3 x 4, got {matrix.shape}")
    if np.isnan(matrix).any():
        return None
    if not np.isfinite(matrix).all():
        raise FormatError(f"{where}: P has numbers that are not finite")
    return pose_from_matrix(matrix, where)
