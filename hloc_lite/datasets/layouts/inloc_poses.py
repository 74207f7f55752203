"""Poses of InLoc's cutouts: direction of a cutout in its scan, and its focal length.

The name of a cutout tells its direction in a panorama. Which way the angles count is found by the
3D points of some cutouts: they must project to their own pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Float64

PANORAMA_FROM_SCAN = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Axes of a panorama (x right, y down, z forward at heading 0) from those of a scan (z up)."""
MAX_ERROR = 0.005
"""Largest median distance of points from their pixels, over the image width."""
_STEP = 8


@dataclass(frozen=True, eq=False)
class CutoutPoints:
    """3D points of a cutout with the angles of its name."""

    theta_deg: int
    phi_deg: int
    xyz: Float64
    """(H, W, 3) in the frame of the scan, NaN where unknown."""


@dataclass(frozen=True, eq=False)
class CutoutConvention:
    """How cutouts are made from scans."""

    base: Float64
    """(3, 3) panorama_from_scan."""
    theta_sign: int
    phi_sign: int
    theta_first: bool
    """True if a cutout is turned by its heading before its elevation."""
    focal_share: float
    """Focal length over the width of the image."""

    def cam_from_scan(self, theta_deg: int, phi_deg: int) -> Float64:
        """(3, 3) rotation of a cutout; its centre is that of the scan."""
        heading = exp_so3([0, np.radians(self.theta_sign * theta_deg), 0])
        elevation = exp_so3([np.radians(self.phi_sign * phi_deg), 0, 0])
        turn = elevation @ heading if self.theta_first else heading @ elevation
        rotation: Float64 = turn @ self.base
        return rotation


def find_convention(probes: Sequence[CutoutPoints]) -> CutoutConvention:
    """The convention under which the points of all probes project to their pixels.

    Raises:
        FormatError: there is none, or the probes have no points.
    """
    samples = [_sample(probe) for probe in probes]
    samples = [each for each in samples if len(each[1])]
    if not samples:
        raise FormatError("the cutouts that were looked at have no 3D points")
    best, least = None, np.inf
    for candidate in _candidates():
        found = _fit(candidate, samples)
        if found is not None and found[1] < least:
            best, least = found
    if best is None or least > MAX_ERROR:
        raise FormatError(
            f"the 3D points of cutouts do not project to their pixels (least median error "
            f"{least:.2%} of the width): the points or the angles in the names are others than "
            f"expected"
        )
    return best


_Sample = tuple[CutoutPoints, Float64, Float64]
"""Probe, its (N, 3) points, and their (N, 2) pixels from the image centre, over the width."""


def _sample(probe: CutoutPoints) -> _Sample:
    height, width = probe.xyz.shape[:2]
    step = max(1, min(_STEP, height // 16, width // 16))
    rows, columns = np.mgrid[0:height:step, 0:width:step]
    points = probe.xyz[rows, columns].reshape(-1, 3)
    pixels = np.stack([columns + 0.5 - width / 2, rows + 0.5 - height / 2], axis=-1) / width
    kept = np.isfinite(points).all(axis=1) & (np.linalg.norm(points, axis=1) > 1e-6)
    return probe, points[kept], pixels.reshape(-1, 2)[kept]


def _candidates() -> Iterator[CutoutConvention]:
    for base in (PANORAMA_FROM_SCAN, PANORAMA_FROM_SCAN.T):
        for theta_sign in (1, -1):
            for phi_sign in (1, -1):
                for theta_first in (True, False):
                    yield CutoutConvention(base, theta_sign, phi_sign, theta_first, 1.0)


def _fit(
    candidate: CutoutConvention, samples: Sequence[_Sample]
) -> tuple[CutoutConvention, float] | None:
    """The convention with its focal length, and the largest median error of the samples."""
    planes, all_pixels = [], []
    for probe, points, pixels in samples:
        rotation = candidate.cam_from_scan(probe.theta_deg, probe.phi_deg)
        in_cam = points @ rotation.T
        if (in_cam[:, 2] <= 1e-6).mean() > 0.1:
            return None
        in_front = in_cam[:, 2] > 1e-6
        planes.append(in_cam[in_front, :2] / in_cam[in_front, 2:])
        all_pixels.append(pixels[in_front])
    plane, pixel = np.concatenate(planes), np.concatenate(all_pixels)
    with np.errstate(all="ignore"):
        focal = float(np.median(np.linalg.norm(pixel, axis=1) / np.linalg.norm(plane, axis=1)))
    if not 0 < focal < np.inf:
        return None
    errors = [
        float(np.median(np.linalg.norm(focal * a - b, axis=1)))
        for a, b in zip(planes, all_pixels, strict=True)
    ]
    found = CutoutConvention(
        candidate.base, candidate.theta_sign, candidate.phi_sign, candidate.theta_first, focal
    )
    return found, max(errors)
