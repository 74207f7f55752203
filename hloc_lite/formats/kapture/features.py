"""Features of kapture: keypoints, descriptors and global features of images, as raw arrays.

Each type is a folder below ``reconstruction/KIND``: a header line with name, dtype and number of
columns, and a raw little-endian file of each image, in the folder or in a tar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.feature_files import FeatureFiles, open_files, write_files
from hloc_lite.formats.kapture.tables import read_rows, whole_number, write_rows
from hloc_lite.io.image_names import leads_out
from hloc_lite.io.number_range import MAX_NUMBER, in_range

Kind = Literal["keypoints", "descriptors", "global_features"]
SUFFIXES: Mapping[Kind, str] = {
    "keypoints": ".kpt", "descriptors": ".desc", "global_features": ".gfeat",
}  # fmt: skip
"""Suffix of the files of each kind, behind the full name of the image."""
_COLUMNS: Mapping[Kind, str] = {
    "keypoints": "name, dtype, dsize",
    "descriptors": "name, dtype, dsize, keypoints_type, metric_type",
    "global_features": "name, dtype, dsize, metric_type",
}
_DTYPE = re.compile(r"(?:numpy\.|np\.)?(u?int(?:8|16|32|64)|float(?:16|32|64)|int|float|double)")
_PYTHON_DTYPES = {"int": "int64", "float": "float64", "double": "float64"}
MAX_COLUMNS = 1 << 20
"""Largest number of columns: global features have some thousands."""
CENTRE_COUNTED = ("superpoint", "r2d2", "d2", "disk", "aliked")
"""Detectors that count pixels from the centre of the first one: types that begin like this."""


@dataclass(frozen=True)
class FeatureHeader:
    """Line of ``keypoints.txt``, ``descriptors.txt`` or ``global_features.txt``."""

    name: str
    """Detector or network, for people."""
    dtype: str
    """NumPy's name of the type, such as ``float32``."""
    dsize: int
    """Number of columns."""
    keypoints_type: str = ""
    """Folder of the described keypoints; only for descriptors."""
    metric_type: str = ""
    """Metric, such as ``L2``; not for keypoints."""


@dataclass(frozen=True)
class Features:
    """Features of one type, read image by image; ``open_features`` makes it."""

    kind: Kind
    header: FeatureHeader
    files: FeatureFiles

    def names(self) -> list[str]:
        """Names of the images that have features, sorted."""
        suffix = SUFFIXES[self.kind]
        return [name.removesuffix(suffix) for name in self.files.names(suffix)]

    def has(self, image: str) -> bool:
        """True if the image has features."""
        return self.files.has(image + SUFFIXES[self.kind])

    def read(self, image: str) -> np.ndarray:
        """Features of an image as stored: (N, dsize), or (dsize,) for global features.

        Keypoints begin with x and y; ``keypoint_shift_px`` makes them COLMAP's pixels.

        Raises:
            FormatError: missing, a size that fits no whole number of rows, or values that are not
                finite or too large; of keypoints only x and y are checked.
        """
        file = image + SUFFIXES[self.kind]
        data, where = self.files.read(file), self.files.describe(file)
        dtype = np.dtype(self.header.dtype).newbyteorder("<")
        row = dtype.itemsize * self.header.dsize
        one = self.kind == "global_features"
        if len(data) % row or (one and len(data) != row):
            raise FormatError(
                f"{where}: expected {'' if one else 'a multiple of '}{row} bytes "
                f"({self.header.dsize} x {self.header.dtype}), got {len(data)}"
            )
        rows = np.frombuffer(data, dtype).reshape(-1, self.header.dsize)
        checked = rows[:, :2] if self.kind == "keypoints" else rows
        if not in_range(checked):
            raise FormatError(
                f"{where}: {self.kind.replace('_', ' ')} must be finite numbers of at most "
                f"{MAX_NUMBER:g}: the file is damaged, or of another dtype than its header says"
            )
        return rows[0] if one else rows


def open_features(folder: Path, kind: Kind, feature_type: str) -> Features:
    """Open the features of one type.

    Args:
        folder: root of the kapture.
        kind: what the features are.
        feature_type: name of their folder; empty for format 1.0, which has no folders of types.

    Raises:
        FormatError: missing or damaged.
    """
    parent = features_folder(folder, kind, feature_type)
    return Features(
        kind, read_header(parent / f"{kind}.txt", kind), open_files(parent, f"{kind}.tar")
    )


def read_features(folder: Path, kind: Kind, feature_type: str, image: str) -> np.ndarray:
    """Features of one image as stored; of many images, ``open_features`` is faster.

    Returns:
        (N, dsize) of the dtype in the header, or (dsize,) for global features. Keypoints begin with
        x and y in the file's pixels, see ``keypoint_shift_px``.

    Raises:
        FormatError: missing or damaged, see ``Features.read``.
    """
    return open_features(folder, kind, feature_type).read(image)


def feature_types(folder: Path, kind: Kind) -> list[str]:
    """Names of the types of a kind, sorted; ``[""]`` for a folder of format 1.0."""
    parent = folder / "reconstruction" / kind
    if (parent / f"{kind}.txt").is_file():
        return [""]
    return sorted(path.parent.name for path in parent.glob(f"*/{kind}.txt"))


def write_features(
    folder: Path,
    kind: Kind,
    feature_type: str,
    header: FeatureHeader,
    arrays: Mapping[str, np.ndarray],
    *,
    as_tar: bool = False,
) -> None:
    """Write features of one type, of image name -> array.

    Args:
        folder: root of the kapture.
        kind: what the features are.
        feature_type: name of their folder.
        header: its dtype and dsize must be those of the arrays.
        arrays: (N, dsize), or (dsize,) for global features.
        as_tar: True for one tar file, False for a file per image.

    Raises:
        FormatError: an array of another shape or dtype, or an impossible name.
    """
    parent = features_folder(folder, kind, feature_type)
    dtype = _dtype(header.dtype, "header")
    _check_size(kind, header.dsize, "header")
    for name, array in arrays.items():
        shape = (header.dsize,) if kind == "global_features" else (len(array), header.dsize)
        if array.shape != shape or array.dtype != dtype:
            raise FormatError(
                f"{name!r}: the header says {header.dsize} x {header.dtype}, got {array.dtype} of "
                f"shape {array.shape}"
            )
    optional = {"keypoints_type": header.keypoints_type, "metric_type": header.metric_type}
    extra = [value for key, value in optional.items() if key in _COLUMNS[kind]]
    write_rows(
        parent / f"{kind}.txt", _COLUMNS[kind], [(header.name, str(dtype), header.dsize, *extra)]
    )
    files = (
        (name + SUFFIXES[kind], np.ascontiguousarray(array, dtype.newbyteorder("<")).tobytes())
        for name, array in arrays.items()
    )
    write_files(parent, files, f"{kind}.tar" if as_tar else None)


def read_header(path: Path, kind: Kind) -> FeatureHeader:
    """Header of a type of features.

    Raises:
        FormatError: not one line of the right layout, or an unknown dtype.
    """
    count = len(_COLUMNS[kind].split(","))
    rows = list(read_rows(path, _COLUMNS[kind], 3, count))
    if len(rows) != 1:
        raise FormatError(f"{path}: expected one line '{_COLUMNS[kind]}', got {len(rows)}")
    (name, dtype, dsize, *extra), where = rows[0]
    size = whole_number(dsize, "dsize", where)
    _check_size(kind, size, where)
    keypoints_type = extra.pop(0) if kind == "descriptors" and extra else ""
    return FeatureHeader(
        name, str(_dtype(dtype, where)), size, keypoints_type, extra[0] if extra else ""
    )


def keypoint_shift_px(keypoints_type: str) -> float:
    """Pixels to add to stored x and y for COLMAP's pixels, by the type of the keypoints.

    The format counts from the upper left corner of the image, as COLMAP does: nothing is added.
    But kapture's extractors store the coordinates of their networks as they are. Networks count
    from the centre of the first pixel, so that half a pixel is added for ``CENTRE_COUNTED``.
    ``posed_images`` checks it where there are points.
    """
    return 0.5 if keypoints_type.lower().startswith(CENTRE_COUNTED) else 0.0


def features_folder(folder: Path, kind: str, feature_type: str) -> Path:
    """Folder of one type of features.

    Raises:
        FormatError: the type is no folder name.
    """
    if leads_out(feature_type) or "/" in feature_type or feature_type == ".":
        raise FormatError(f"{feature_type[:80]!r} is no name of a folder of features")
    return folder / "reconstruction" / kind / feature_type


def _dtype(text: str, where: str) -> np.dtype:
    found = _DTYPE.fullmatch(text)
    if found is None:
        raise FormatError(f"{where}: unknown dtype {text[:40]!r}; expected one such as float32")
    return np.dtype(_PYTHON_DTYPES.get(found[1], found[1]))


def _check_size(kind: Kind, dsize: int, where: str) -> None:
    least = 2 if kind == "keypoints" else 1
    if not least <= dsize <= MAX_COLUMNS:
        raise FormatError(f"{where}: dsize must be {least} to {MAX_COLUMNS}, got {dsize}")
