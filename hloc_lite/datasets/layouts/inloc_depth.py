"""Depth of InLoc's cutouts, from the 3D points of their pixels (``MapDepth``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.datasets.layouts.inloc_files import read_cutout_points
from hloc_lite.errors import FormatError
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import DepthMap, Float64

MAX_RAY_ERROR = 0.02
"""Largest median distance of points from the rays of their pixels, at depth 1: a file of another
cutout has ten times as much."""
_NUM_BLOCKS, _BLOCK_BYTES = 16, 1 << 16
_STEP = 8


@dataclass(frozen=True, eq=False)
class CutoutDepth:
    """Depths of cutouts along their optical axes, metres; NaN where the laser had no echo.

    Args:
        root: folder of the data set.
        cams_from_scan: cutout -> (3, 3) rotation; its centre is that of the scan.
        focal_share: focal length of the cutouts over their width.
    """

    root: Path
    cams_from_scan: Mapping[str, Float64]
    focal_share: float

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Depths of a cutout; None without a file of points.

        Raises:
            FormatError: a damaged file, or points that are not those of this cutout.
        """
        path = self._path(image_name)
        if path is None:
            return None
        in_cam = read_cutout_points(path) @ self.cams_from_scan[image_name].T
        self._check_rays(path, in_cam)
        z = in_cam[:, :, 2]
        with np.errstate(invalid="ignore"):
            depths = np.where(z > 0, z, np.nan).astype(np.float32)
        return DepthMap(depths, (z.shape[1], z.shape[0]))

    def fingerprint(self, image_name: str) -> str | None:
        """Hash of the size of the file and of blocks spread over it; None without a file.

        A whole floor has some hundred gigabytes, which each start of a run would read again.
        """
        path = self._path(image_name)
        if path is None:
            return None
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            for start in np.linspace(0, max(0, size - _BLOCK_BYTES), _NUM_BLOCKS).astype(int):
                file.seek(int(start))
                digest.update(file.read(_BLOCK_BYTES))
        digest.update(np.ascontiguousarray(self.cams_from_scan[image_name]).tobytes())
        return digest.hexdigest()[:16]

    def _path(self, image_name: str) -> Path | None:
        path = self.root / f"{image_name}.mat"
        return path if image_name in self.cams_from_scan and is_file(path) else None

    def _check_rays(self, path: Path, in_cam: Float64) -> None:
        """Raise FormatError if points do not lie on the rays of their pixels."""
        height, width = in_cam.shape[:2]
        step = max(1, min(_STEP, height // 16, width // 16))
        points = in_cam[::step, ::step].reshape(-1, 3)
        columns, rows = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
        pixels = np.stack([columns.ravel() + 0.5 - width / 2, rows.ravel() + 0.5 - height / 2], 1)
        known = np.isfinite(points).all(axis=1) & (np.linalg.norm(points, axis=1) > 1e-6)
        if not known.any():
            return
        points, rays = points[known], pixels[known] / (self.focal_share * width)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.linalg.norm(points[:, :2] / points[:, 2:] - rays, axis=1)
        errors = np.where(points[:, 2] > 0, errors, np.inf)
        if not float(np.median(errors)) <= MAX_RAY_ERROR:
            raise FormatError(
                f"{path}: its 3D points do not project to their pixels: it belongs to another "
                f"cutout, or the scan is turned"
            )
