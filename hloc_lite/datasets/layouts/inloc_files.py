"""Files of InLoc: cutouts with 3D points, laser scans, alignments of scans, lists and scores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import finite_numbers, image_name, pose_from_matrix
from hloc_lite.io.files import read_text
from hloc_lite.io.matlab import read_variable
from hloc_lite.types import Float64, Rigid3, UInt8

_CUTOUT = re.compile(r"(?:DUC|cse)_cutout_([^_/]+)_([0-9]{1,3})_(-?[0-9]{1,2})\.jpg")
_SCAN_COLUMNS = {"xyz": (0, 1, 2), "rgb": (4, 5, 6)}


@dataclass(frozen=True)
class CutoutName:
    """Content of a cutout's path: ``FLOOR/SCAN/DUC_cutout_SCAN_THETA_PHI.jpg``."""

    floor: str
    scan: str
    theta_deg: int
    """Heading in the panorama."""
    phi_deg: int
    """Elevation in the panorama."""

    @property
    def alignment(self) -> str:
        """Path of the alignment of the scan, below the root."""
        prefix = self.floor[:3] if self.floor.startswith("DUC") else self.floor[:3].lower()
        return f"database/alignments/{self.floor}/transformations/{prefix}_trans_{self.scan}.txt"


def parse_cutout(name: str) -> CutoutName | None:
    """Meaning of a cutout's path, whatever stands in front of the floor; None for other files."""
    parts = name.split("/")
    found = _CUTOUT.fullmatch(parts[-1])
    if found is None or len(parts) < 3 or parts[-2] != found[1]:
        return None
    return CutoutName(parts[-3], found[1], int(found[2]), int(found[3]))


def read_alignment(path: Path) -> Rigid3:
    """floor_from_scan of a scan: the second matrix of the file, after GICP.

    Raises:
        FormatError: missing, or not two matrices under a header each.
    """
    lines = read_text(path).split("\n")
    if len(lines) < 11:
        raise FormatError(
            f"{path}: expected a header, four lines before GICP, an empty line, a header and four "
            f"lines after GICP, got {len(lines)} lines: it is cut off"
        )
    words = [word for line in lines[7:11] for word in line.split()]
    return pose_from_matrix(finite_numbers(words, f"{path}, lines 8 to 11"), path.name)


def read_cutout_points(path: Path) -> Float64:
    """(H, W, 3) points of the pixels of a cutout in the frame of its scan, metres; NaN if unknown.

    Args:
        path: ``NAME.jpg.mat`` beside the cutout.

    Raises:
        FormatError: missing, damaged, or another layout.
    """
    points = np.asarray(read_variable(path, "XYZcut"))
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype.kind != "f":
        raise FormatError(
            f"{path}: expected XYZcut of shape (H, W, 3), got {points.shape} of {points.dtype}"
        )
    found = points.astype(np.float64)
    found[~np.isfinite(found).all(axis=2)] = np.nan
    return found


def read_scan(path: Path) -> tuple[Float64, UInt8]:
    """(N, 3) points of a laser scan in its own frame, metres, and (N, 3) colours.

    Args:
        path: ``DUC_scan_024.ptx.mat``.

    Raises:
        FormatError: missing, damaged, or another layout.
    """
    cells = np.asarray(read_variable(path, "A"), object).ravel()
    if len(cells) < 7:
        raise FormatError(f"{path}: expected a cell A of 7 columns, got {len(cells)}")
    columns = {
        key: [np.asarray(cells[row]).ravel() for row in rows] for key, rows in _SCAN_COLUMNS.items()
    }
    lengths = {len(values) for listed in columns.values() for values in listed}
    kinds = {values.dtype.kind for listed in columns.values() for values in listed}
    if len(lengths) != 1 or not kinds <= set("fiu"):
        raise FormatError(f"{path}: expected columns of numbers of one length, got {lengths}")
    xyz, rgb = (np.stack(columns[key], axis=1).astype(np.float64) for key in ("xyz", "rgb"))
    return xyz, np.clip(np.nan_to_num(rgb), 0, 255).astype(np.uint8)


def read_name_list(path: Path, variable: str) -> list[str]:
    """Image names of a cell of strings, such as ``query_imgnames_all``.

    Raises:
        FormatError: missing, damaged, another layout, or a name that leads out of the folder.
    """
    names = []
    for cell in np.asarray(read_variable(path, variable), object).ravel():
        values = np.asarray(cell).ravel()
        if len(values) != 1 or not isinstance(values[0], str) or not values[0].strip():
            raise FormatError(f"{path}: expected a cell of image names, got {str(cell)[:80]!r}")
        names.append(image_name(str(values[0]).strip().replace("\\", "/"), str(path)))
    if len(set(names)) != len(names):
        raise FormatError(f"{path}: a name is listed twice")
    return names


def read_scores(path: Path, num_queries: int, num_cutouts: int) -> Float64:
    """(Q, C) similarity of each query to each cutout, higher is better, NaN where not compared.

    Rows and columns are in the order of the lists of names. ``score`` is a matrix, a cell of rows,
    or an array of structs with a field ``score`` or ``scores``.

    Raises:
        FormatError: missing, damaged, another layout, or another number of queries or cutouts.
    """
    found = np.asarray(read_variable(path, "score"))
    field = next((each for each in ("scores", "score") if each in (found.dtype.names or ())), None)
    if field is not None:
        found = np.array([None, *found[field].ravel()], object)[1:]
    elif found.dtype.names:
        raise FormatError(f"{path}: the structs have no field score, only {found.dtype.names}")
    rows = [np.asarray(row) for row in (found.ravel() if found.dtype == object else found)]
    wanted = f"{num_queries} queries and {num_cutouts} cutouts"
    if len(rows) != num_queries:
        raise FormatError(f"{path}: expected scores of {wanted}, got {len(rows)} rows")
    for number, row in enumerate(rows, start=1):
        if row.size != num_cutouts or row.dtype.kind not in "fiu":
            raise FormatError(
                f"{path}: expected scores of {wanted}; row {number} is {row.dtype} of {row.shape}"
            )
    return np.array([row.ravel() for row in rows], np.float64)
