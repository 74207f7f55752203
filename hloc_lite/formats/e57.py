"""E57 files of laser scanners, by pye57 (extra ``depth``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.point_blocks import MAX_POINTS, PointBlock, colours_from
from hloc_lite.optional_dependencies import require_extra

MAX_SCAN_POINTS = 100_000_000
"""Points of one scan, which is read as a whole (100 million take 4 GB)."""


def read_e57(path: Path) -> Iterator[PointBlock]:
    """Read the points of all scans in the common frame, one block per scan.

    Raises:
        FormatError: missing, damaged, without points, or with too large a scan.
        MissingDependencyError: the extra ``depth`` is not installed.
    """
    require_extra("depth", "reading E57 files")
    import pye57

    if not path.is_file():
        raise FormatError(f"{path} does not exist")
    try:
        file = pye57.E57(str(path))
    except Exception as error:  # libE57 raises a type of its own
        raise FormatError(f"{path} is no E57 file: {str(error).splitlines()[0]}") from None
    try:
        if not file.scan_count:
            raise FormatError(f"{path} has no scans")
        for number in range(file.scan_count):
            header = file.get_header(number)
            if header.point_count > min(MAX_SCAN_POINTS, MAX_POINTS):
                raise FormatError(
                    f"{path}: scan {number + 1} has {header.point_count} points, the limit is "
                    f"{MAX_SCAN_POINTS}"
                )
            try:
                values = file.read_scan(
                    number, colors=True, intensity=True, ignore_missing_fields=True
                )
            except Exception as error:
                reason = str(error).splitlines()[0]
                raise FormatError(f"{path}: scan {number + 1} is damaged: {reason}") from None
            has_pose = header.has_pose()
            position = np.asarray(header.translation, np.float64) if has_pose else None
            yield _block(values, position)
    finally:
        file.close()


def _block(values: dict[str, np.ndarray], position: np.ndarray | None) -> PointBlock:
    xyz = np.stack([values[f"cartesian{axis}"] for axis in "XYZ"], axis=1).astype(np.float64)
    finite = np.isfinite(xyz).all(axis=1)
    rgb = None
    names = ("colorRed", "colorGreen", "colorBlue")
    if set(names) <= values.keys():
        rgb = colours_from(np.stack([values[name] for name in names], axis=1))
    elif "intensity" in values:
        grey = values["intensity"].astype(np.float64)
        low, high = np.nanmin(grey, initial=np.inf), np.nanmax(grey, initial=-np.inf)
        share = (grey - low) / max(high - low, 1e-12)
        rgb = np.repeat(np.rint(255 * np.clip(share, 0, 1))[:, None], 3, axis=1).astype(np.uint8)
    return PointBlock(xyz[finite], None if rgb is None else rgb[finite], None, position)
