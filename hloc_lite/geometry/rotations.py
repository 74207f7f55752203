"""Conversions between representations of rotations, and pose errors."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.types import Float64, Rigid3

MAX_LENGTH_ERROR = 0.05
"""Largest error of the length of a unit quaternion in a file: two decimals give 0.01."""


def rotation_from_quat_wxyz(quat_wxyz: npt.ArrayLike) -> Float64:
    """(3, 3) rotation of a (4,) Hamilton quaternion of any length.

    Raises:
        FormatError: if the quaternion is not finite or zero.
    """
    quat = np.asarray(quat_wxyz, np.float64)
    if quat.shape != (4,) or not np.isfinite(quat).all() or np.linalg.norm(quat) < 1e-9:
        raise FormatError(f"a quaternion needs four finite numbers, not all zero; got {quat}")
    w, x, y, z = quat
    return Rotation.from_quat([x, y, z, w]).as_matrix()


def rotations_from_unit_quats(quats_wxyz: Float64) -> Float64:
    """(N, 3, 3) rotations of (N, 4) quaternions, as ``rotation_from_quat_wxyz`` gives each.

    Args:
        quats_wxyz: quaternions that ``check_unit_quaternion`` accepts.
    """
    if not len(quats_wxyz):
        return np.zeros((0, 3, 3))
    rotations: Float64 = Rotation.from_quat(quats_wxyz[:, [1, 2, 3, 0]]).as_matrix()
    return rotations


def check_unit_quaternion(quat_wxyz: npt.ArrayLike) -> None:
    """Check a quaternion from a file: of another length, it is most likely something else.

    Raises:
        FormatError: its length is not finite, or differs from 1 by more than 0.05.
    """
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(np.asarray(quat_wxyz, np.float64)))
    if not abs(length - 1) <= MAX_LENGTH_ERROR:
        raise FormatError(
            f"{np.asarray(quat_wxyz)} is not a unit quaternion, its length is {length:.3g}: the "
            f"columns may be in another order"
        )


def quat_wxyz_from_rotation(rotation: Float64) -> Float64:
    """(4,) unit Hamilton quaternion with w >= 0 of a (3, 3) rotation."""
    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    quat = np.array([w, x, y, z])
    return -quat if w < 0 else quat


def exp_so3(rotvec_rad: npt.ArrayLike) -> Float64:
    """(3, 3) rotation of a (3,) rotation vector in radians, by Rodrigues' formula.

    Ten times as fast as SciPy's for a single vector; optimizers call it in every step.
    """
    x, y, z = np.asarray(rotvec_rad, np.float64).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    if angle == 0 or not math.isfinite(angle):
        return np.eye(3) if angle == 0 else np.full((3, 3), np.nan)
    first, half = math.sin(angle) / angle, math.sin(angle / 2) / angle
    second = 2 * half * half  # (1 - cos) / angle^2, without cancellation
    xy, xz, yz = second * x * y, second * x * z, second * y * z
    x, y, z, xx, yy, zz = (
        first * x, first * y, first * z, second * x * x, second * y * y, second * z * z
    )  # fmt: skip
    return np.array(
        [
            [1 - yy - zz, xy - z, xz + y],
            [xy + z, 1 - xx - zz, yz - x],
            [xz - y, yz + x, 1 - xx - yy],
        ]
    )


def rotation_angle_deg(a_from_c: Float64, b_from_c: Float64) -> float:
    """Angle in degrees of the rotation between two (3, 3) rotations; accurate near zero."""
    relative = Rotation.from_matrix(a_from_c @ b_from_c.T)
    return float(np.degrees(relative.magnitude()))


def pose_errors(estimated: Rigid3, true: Rigid3) -> tuple[float, float]:
    """Distance of the camera centres in map units, and angle in degrees, of two cam_from_world."""
    distance = float(np.linalg.norm(estimated.center - true.center))
    return distance, rotation_angle_deg(estimated.rotation, true.rotation)


def cross_matrices(vectors: Float64) -> Float64:
    """(N, 3, 3) skew-symmetric matrices of (N, 3) vectors: ``cross_matrices(a)[i] @ b`` is
    ``cross(a[i], b)``."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)


def rotation_to_z(direction: Float64) -> Float64:
    """(3, 3) rotation that maps a (3,) unit vector to (0, 0, 1)."""
    axis = np.eye(3)[int(np.argmin(np.abs(direction)))]
    first = np.cross(axis, direction)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first), direction])
