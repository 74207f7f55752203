"""Poses in kapture tables: ``qw, qx, qy, qz, tx, ty, tz``, where either part may be empty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.tables import finite_number
from hloc_lite.formats.pose_text import check_translation, rotation_from_unit_quat
from hloc_lite.geometry.rotations import (
    MAX_LENGTH_ERROR,
    quat_wxyz_from_rotation,
    rotation_from_quat_wxyz,
)
from hloc_lite.types import Float64, Rigid3

_SURELY_UNIT = 0.9 * MAX_LENGTH_ERROR
"""Error of a quaternion's length up to which the slower check need not look at it."""
POSE_COLUMNS = "qw, qx, qy, qz, tx, ty, tz"
"""Column header of a pose."""


@dataclass(frozen=True)
class DevicePose:
    """Pose of a device as its file states it; the file decides between which frames.

    Its numbers are kept, so that they are written as they were read.
    """

    quat_wxyz: tuple[float, float, float, float] | None
    """Hamilton quaternion; None if the rotation is unknown."""
    translation: tuple[float, float, float] | None
    """None if the translation is unknown."""
    covariance: tuple[float, ...] | None = None
    """36 numbers of a (6, 6) covariance, row-major; only capture sessions have them."""

    @property
    def is_complete(self) -> bool:
        """True if rotation and translation are known."""
        return self.quat_wxyz is not None and self.translation is not None

    def rigid(self) -> Rigid3 | None:
        """Rigid transform; None if the rotation or the translation is unknown."""
        if self.quat_wxyz is None or self.translation is None:
            return None
        return Rigid3(rotation_from_quat_wxyz(self.quat_wxyz), np.array(self.translation))

    @classmethod
    def from_rigid(cls, pose: Rigid3, covariance: Float64 | None = None) -> DevicePose:
        """Pose with the numbers of a rigid transform, and a (6, 6) covariance."""
        w, x, y, z = quat_wxyz_from_rotation(pose.rotation).tolist()
        tx, ty, tz = pose.translation.tolist()
        flat = None if covariance is None else tuple(np.ravel(covariance).tolist())
        return cls((w, x, y, z), (tx, ty, tz), flat)

    def cells(self) -> list[object]:
        """Values of a table row: 7, or 43 with a covariance; unknown ones are empty."""
        quat: Sequence[object] = self.quat_wxyz or [""] * 4
        translation: Sequence[object] = self.translation or [""] * 3
        return [*quat, *translation, *(self.covariance or ())]


def parse_pose(values: Sequence[str], where: str) -> DevicePose:
    """Pose of 7 values, or of 43 with a covariance.

    Raises:
        FormatError: another number of values, numbers that are not finite, a part that is empty
            only in some columns, no unit quaternion, or a translation that is too large.
    """
    if len(values) not in (7, 43):
        raise FormatError(f"{where}: expected '{POSE_COLUMNS}', got {len(values)} values")
    quat = _numbers(values[:4], "a quaternion", where)
    translation = _numbers(values[4:7], "a translation", where)
    covariance = _numbers(values[7:], "a covariance", where)
    is_unit = quat is None or abs(math.hypot(*quat) - 1) <= _SURELY_UNIT
    if quat is not None and not is_unit:
        rotation_from_unit_quat(quat, where)
    if translation is not None:
        check_translation(translation, where)
    return DevicePose(
        None if quat is None else (quat[0], quat[1], quat[2], quat[3]),
        None if translation is None else (translation[0], translation[1], translation[2]),
        covariance,
    )


def _numbers(values: Sequence[str], what: str, where: str) -> tuple[float, ...] | None:
    """Finite numbers; None if all of them are empty."""
    if not any(values):
        return None
    return tuple(finite_number(value, f"each value of {what}", where) for value in values)
