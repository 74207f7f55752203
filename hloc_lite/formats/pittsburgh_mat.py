"""Truth of place recognition in MATLAB files: ``dbStruct`` of Pitts30k, Pitts250k and Tokyo 24/7.

Fields: ``dbImageFns`` and ``qImageFns`` (cells of names), ``utmDb`` and ``utmQ`` (2 x N, metres)
and ``posDistThr``, as in https://github.com/Relja/netvlad (Arandjelovic et al., CVPR 2016).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.named_positions import NamedPositions
from hloc_lite.formats.pose_text import image_name
from hloc_lite.formats.vpr_truth import RecognitionTruth, is_position
from hloc_lite.io.matlab import read_variable
from hloc_lite.io.matlab_layout import check_layout
from hloc_lite.types import Float64

_VARIABLE = "dbStruct"


def read_pittsburgh_mat(path: Path) -> NamedPositions:
    """Read ``pitts30k_test.mat`` and its like.

    Raises:
        FormatError: no such variable or field, or fields that do not fit together.
    """
    check_layout(path, _VARIABLE)
    struct = np.asarray(read_variable(path, _VARIABLE)).ravel()
    fields = struct.dtype.names or ()
    needed = ("dbImageFns", "qImageFns", "utmDb", "utmQ", "posDistThr")
    missing = [name for name in needed if name not in fields]
    if missing or len(struct) != 1:
        got = ", ".join(fields)[:200] or f"{len(struct)} values without fields"
        raise FormatError(
            f"{path}: expected one struct {_VARIABLE} with the fields {', '.join(needed)}, got "
            f"{got}"
        )
    value = struct[0]
    queries, images = (_names(value[key], f"{path}, {key}") for key in ("qImageFns", "dbImageFns"))
    query_rows = _positions(value["utmQ"], len(queries), f"{path}, utmQ")
    map_rows = _positions(value["utmDb"], len(images), f"{path}, utmDb")
    limit = _numbers(value["posDistThr"], f"{path}, posDistThr")
    if limit.size != 1 or not 0 < limit.ravel()[0] < np.inf:
        raise FormatError(
            f"{path}, posDistThr: expected a distance above zero, got {limit.ravel()}"
        )
    truth = RecognitionTruth(query_rows, map_rows, float(limit.ravel()[0]))
    try:
        return NamedPositions(truth, queries, images)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def _names(cells: Any, where: str) -> tuple[str, ...]:
    names = []
    for cell in np.asarray(cells).ravel():
        text = np.asarray(cell).ravel()
        if text.dtype.kind != "U" or text.size != 1:
            raise FormatError(f"{where}: expected a cell of names, got {text.dtype} in it")
        names.append(image_name(str(text[0]), where))
    return tuple(names)


def _numbers(values: Any, where: str) -> Float64:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise FormatError(f"{where}: expected numbers, got {array.dtype}")
    return array.astype(np.float64)


def _positions(values: Any, count: int, where: str) -> Float64:
    array = _numbers(values, where)
    if array.shape != (2, count) or not is_position(array):
        raise FormatError(
            f"{where}: expected finite numbers of shape (2, {count}), got {array.shape}"
        )
    return array.T.copy()
