"""Explains recalls near zero: tries the usual mix-ups of pose conventions on the poses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hloc_lite.geometry.rotations import (
    pose_errors,
    quat_wxyz_from_rotation,
    rotation_from_quat_wxyz,
)
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.types import Rigid3

MIN_POSES = 3
"""Fewer poses could agree with a wrong convention by chance."""


def diagnose(estimated: Mapping[str, Rigid3], true: Mapping[str, Rigid3]) -> str | None:
    """Return one sentence if the poses fit far better under another convention, else None.

    Meant for recalls near zero. Tests world_from_cam instead of cam_from_world, camera centres
    instead of translations, quaternions in x y z w order, and another world frame or scale.
    """
    names = [name for name in true if name in estimated]
    if len(names) < MIN_POSES:
        return None
    plain = _median_errors(estimated, true, names, lambda pose: pose)
    for convention, correct in CONVENTION_ERRORS.items():
        distance, angle_deg = _median_errors(estimated, true, names, correct)
        if distance < 0.1 * plain[0] and angle_deg < max(0.5 * plain[1], 5.0):
            return (
                f"the poses look like {convention}: read that way, the median errors would be "
                f"{distance:.3g} map units and {angle_deg:.3g} deg instead of {plain[0]:.3g} and "
                f"{plain[1]:.3g}. Expected cam_from_world as qw qx qy qz tx ty tz"
            )
    return _other_frame(estimated, true, names, plain[0])


def _world_from_cam(pose: Rigid3) -> Rigid3:
    return pose.inverse()


def _center_for_translation(pose: Rigid3) -> Rigid3:
    return Rigid3(pose.rotation, -pose.rotation @ pose.translation)


def _xyzw(pose: Rigid3) -> Rigid3:
    x, y, z, w = quat_wxyz_from_rotation(pose.rotation)
    return Rigid3(rotation_from_quat_wxyz([w, x, y, z]), pose.translation)


CONVENTION_ERRORS: Mapping[str, Callable[[Rigid3], Rigid3]] = {
    "world_from_cam (camera-to-world)": _world_from_cam,
    "camera centres in place of translations": _center_for_translation,
    "quaternions in the order x y z w": _xyzw,
}


def _median_errors(
    estimated: Mapping[str, Rigid3],
    true: Mapping[str, Rigid3],
    names: list[str],
    correct: Callable[[Rigid3], Rigid3],
) -> tuple[float, float]:
    errors = [pose_errors(correct(estimated[name]), true[name]) for name in names]
    distance, angle_deg = np.median(np.array(errors), axis=0)
    return float(distance), float(angle_deg)


def _other_frame(
    estimated: Mapping[str, Rigid3],
    true: Mapping[str, Rigid3],
    names: list[str],
    plain_distance: float,
) -> str | None:
    if len(names) <= MIN_POSES:  # three centres always fit a similarity well
        return None
    centers = np.array([estimated[name].center for name in names])
    true_centers = np.array([true[name].center for name in names])
    true_from_estimated = fit_similarity(centers, true_centers)
    if true_from_estimated is None:
        return None
    scale = true_from_estimated.scale
    offsets = true_from_estimated.apply(centers) - true_centers
    residual = float(np.median(np.linalg.norm(offsets, axis=1)))
    if not residual < 0.1 * plain_distance:
        return None
    return (
        f"the poses are in another world frame than the ground truth: after a similarity "
        f"transform with scale {scale:.4g} the median distance would be {residual:.3g} instead of "
        f"{plain_distance:.3g} map units. Build the map from known poses (--reference), or align "
        f"it to them"
    )
