"""Rotations between their representations, and the errors of poses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.types import Float64, Rigid3


def rotation_from_quat_wxyz(quat_wxyz: npt.ArrayLike) -> Float64:
    """(3, 3) rotation of a (4,) Hamilton quaternion; its length is normalized away.

    Raises:
        FormatError: if the quaternion is not finite or has no length.
    """
    quat = np.asarray(quat_wxyz, np.float64)
    if quat.shape != (4,) or not np.isfinite(quat).all() or np.linalg.norm(quat) < 1e-9:
        raise FormatError(f"a quaternion needs four finite numbers, not all zero; got {quat}")
    w, x, y, z = quat
    return Rotation.from_quat([x, y, z, w]).as_matrix()


def quat_wxyz_from_rotation(rotation: Float64) -> Float64:
    """(4,) unit Hamilton quaternion with w >= 0 of a (3, 3) rotation."""
    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    quat = np.array([w, x, y, z])
    return -quat if w < 0 else quat


def exp_so3(rotvec_rad: npt.ArrayLike) -> Float64:
    """(3, 3) rotation of a (3,) rotation vector in radians."""
    return Rotation.from_rotvec(np.asarray(rotvec_rad, np.float64)).as_matrix()


def rotation_angle_deg(a_from_c: Float64, b_from_c: Float64) -> float:
    """Angle in degrees of the rotation between two (3, 3) rotations; accurate near zero."""
    relative = Rotation.from_matrix(a_from_c @ b_from_c.T)
    return float(np.degrees(relative.magnitude()))


def pose_errors(estimated: Rigid3, true: Rigid3) -> tuple[float, float]:
    """(distance of the camera centres in map units, angle in degrees) of two cam_from_world."""
    distance = float(np.linalg.norm(estimated.center - true.center))
    return distance, rotation_angle_deg(estimated.rotation, true.rotation)


def cross_matrices(vectors: Float64) -> Float64:
    """(N, 3, 3) of (N, 3): ``cross_matrices(a)[i] @ b == cross(a[i], b)``."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)
