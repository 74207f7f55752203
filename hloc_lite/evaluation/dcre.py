"""Dense correspondence reprojection error (Wald et al., ECCV 2020), the score of RIO10.

It tells how far the pixels of a photo move if the scene is drawn at the estimated pose, as a share
of the image diagonal. Source of the definition: the evaluation of WaldJohannaU/RIO10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.geometry.cameras import focal_lengths, principal_point
from hloc_lite.types import Camera, Float64, Rigid3


@dataclass(frozen=True, eq=False)
class DcreScores:
    """Errors of all frames with true poses."""

    errors: Mapping[str, float]
    """Frame -> error from 0 to 1, of the frames with an estimate and known depths."""
    without_pose: tuple[str, ...]
    """Frames without an estimate. They count as failures, not as outliers."""
    without_depth: tuple[str, ...]
    """Frames with an estimate of which no depth is known. They are not scored."""

    @property
    def num_frames(self) -> int:
        """Number of scored frames: those with an error, and those without an estimate."""
        return len(self.errors) + len(self.without_pose)

    @property
    def mean(self) -> float:
        """Mean error of the frames with an estimate; NaN if there are none."""
        return float(np.mean(self._values)) if self.errors else math.nan

    @property
    def median(self) -> float:
        """Median over all scored frames, infinite without an estimate; NaN without frames."""
        values = np.append(self._values, np.full(len(self.without_pose), math.inf))
        return float(np.median(values)) if len(values) else math.nan

    def share_below(self, limit: float) -> float:
        """Share of the scored frames with an error below a limit; NaN without frames."""
        return self._share(int((self._values < limit).sum()))

    def share_above(self, limit: float) -> float:
        """Share of the scored frames whose estimate has an error above a limit: outliers."""
        return self._share(int((self._values > limit).sum()))

    @property
    def _values(self) -> Float64:
        return np.array(list(self.errors.values()), np.float64)

    def _share(self, num: int) -> float:
        return num / self.num_frames if self.num_frames else math.nan


def dcre(
    depths: npt.NDArray[np.floating],
    true: Rigid3,
    estimated: Rigid3,
    camera: Camera,
    *,
    behind_is_lost: bool = False,
) -> float:
    """Dense correspondence reprojection error of an estimated pose, from 0 to 1; NaN without depth.

    The 3D point of every pixel with a known depth is projected into the estimated camera. The error
    is the mean over these pixels of their displacement over the image diagonal, each at most 1.

    As in the data set's scorer, a pixel's coordinates are its column and row, and points behind the
    estimated camera are projected by the same formula: a camera that looks the opposite way can
    seem better than it is.

    Args:
        depths: (h, w) depths along the optical axis in map units; not positive or not finite where
            unknown. The image may be of lower resolution than the camera.
        true: true cam_from_world.
        estimated: estimated cam_from_world.
        camera: PINHOLE camera of the photo.
        behind_is_lost: count points behind the estimated camera as displaced by a diagonal.

    Raises:
        FormatError: another camera model, or depths of another aspect ratio than the camera.
    """
    height, width = depths.shape
    scale = _scale(camera, width, height)
    (fx, fy), (cx, cy) = focal_lengths(camera) * scale, principal_point(camera) * scale
    rows, columns = np.nonzero(np.isfinite(depths) & (depths > 0))
    if not len(rows):
        return math.nan
    z = depths[rows, columns].astype(np.float64)
    points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=1)
    seen = estimated.compose(true.inverse()).apply(points)
    with np.errstate(all="ignore"):
        du = seen[:, 0] / seen[:, 2] * fx + cx - columns
        dv = seen[:, 1] / seen[:, 2] * fy + cy - rows
        shares = np.fmin(np.hypot(du, dv) / math.hypot(width, height), 1)  # 1 for NaN
    if behind_is_lost:
        shares[seen[:, 2] <= 0] = 1
    return float(shares.mean())


def dcre_scores(
    estimated: Mapping[str, Rigid3],
    true: Mapping[str, Rigid3],
    cameras: Mapping[str, Camera],
    depths_of: Callable[[str], npt.NDArray[np.floating] | None],
    *,
    behind_is_lost: bool = False,
) -> DcreScores:
    """Score estimated ``cam_from_world`` poses by their dense correspondence reprojection error.

    Args:
        estimated: frame -> estimated pose; a pose that is not finite counts as missing.
        true: frame -> true pose.
        cameras: frame -> camera.
        depths_of: returns the (h, w) depths of a frame, see ``dcre``; None if it has none. Called
            for one frame after the other, so that they need not all be in memory.
        behind_is_lost: see ``dcre``.

    Raises:
        HlocLiteError: no true poses, or a frame without a camera.
        FormatError: see ``dcre``.
    """
    if not true:
        raise HlocLiteError("the ground truth has no poses: there is nothing to compare with")
    given = [name for name in true if name in estimated and estimated[name].is_finite]
    _check_cameras(given, cameras)
    errors = {}
    for name in given:
        depths = depths_of(name)
        errors[name] = (
            math.nan
            if depths is None
            else dcre(
                depths, true[name], estimated[name], cameras[name], behind_is_lost=behind_is_lost
            )
        )
    known = set(given)
    return DcreScores(
        {name: error for name, error in errors.items() if not math.isnan(error)},
        tuple(name for name in true if name not in known),
        tuple(name for name, error in errors.items() if math.isnan(error)),
    )


def _scale(camera: Camera, width: int, height: int) -> float:
    """Size of the depths over that of the camera."""
    if camera.model not in ("PINHOLE", "SIMPLE_PINHOLE"):
        raise FormatError(f"the error is defined for PINHOLE cameras, got {camera}")
    scale = width / camera.width
    if abs(camera.height * scale - height) > 1:
        raise FormatError(
            f"depths of {width} x {height} do not fit an image of {camera.width} x {camera.height}"
        )
    return scale


def _check_cameras(names: Iterable[str], cameras: Mapping[str, Camera]) -> None:
    missing = next((name for name in names if name not in cameras), None)
    if missing is not None:
        raise HlocLiteError(f"{missing!r} has no camera")
