"""The plane of the ground, from how photos were held: for plans of a map seen from above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.geometry.level import rotation_to_z
from hloc_lite.types import Float64, Rigid3


def up_direction(cams_from_world: Sequence[Rigid3]) -> Float64:
    """(3,) unit vector of the world's up, from the orientations of upright photos.

    People hold cameras level: the image's x axis is horizontal whichever way it looks, so up is the
    direction most perpendicular to all x axes, weighted against rolled photos. If all of them look
    the same way, the mean of the images' own up directions decides what is left open.
    """
    if not cams_from_world:
        return np.array([0.0, 0.0, 1.0])
    right = np.array([pose.rotation[0] for pose in cams_from_world])
    camera_up = -np.array([pose.rotation[1] for pose in cams_from_world])
    rough = np.median(camera_up, axis=0)
    rough = rough / max(float(np.linalg.norm(rough)), 1e-12)
    up = rough
    for _ in range(10):
        weights = 1 / (0.05 + np.abs(right @ up))
        spread = (right * weights[:, None]).T @ right / weights.sum()
        # the small pull decides where the x axes leave a direction open
        _, vectors = np.linalg.eigh(spread - 0.001 * np.outer(rough, rough))
        up = vectors[:, 0] * (1.0 if vectors[:, 0] @ rough >= 0 else -1.0)
    return np.asarray(up)


def ground_axes(up: Float64, points: Float64) -> Float64:
    """(2, 3) rows: the plan's x and y axes, perpendicular to ``up``; x along the widest spread.

    Args:
        up: (3,) unit vector.
        points: (N, 3).
    """
    plane = rotation_to_z(up)[:2]
    if len(points) < 2:
        return plane
    flat = (points - np.median(points, axis=0)) @ plane.T
    radius = np.linalg.norm(flat, axis=1)
    flat = flat[radius <= np.quantile(radius, 0.9)]  # stray points must not turn the plan
    axis = np.linalg.eigh(flat.T @ flat)[1][:, 1]
    axis = axis * (1.0 if axis[np.argmax(np.abs(axis))] > 0 else -1.0)
    turn = np.array([axis, [-axis[1], axis[0]]])
    return turn @ plane


def plan_limits(points: Float64, centers: Float64) -> tuple[Float64, Float64]:
    """(2,) lower and upper corner of a plan: all cameras and most points, with a margin.

    Args:
        points: (N, 2) in the plane of the ground.
        centers: (M, 2) of the cameras.
    """
    everything = [centers] if len(centers) else []
    if len(points):  # stray points must not shrink the rest
        everything.append(np.quantile(points, [0.01, 0.99], axis=0))
    if not everything:
        return np.full(2, -1.0), np.full(2, 1.0)
    corners = np.concatenate(everything)
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = 0.06 * float((high - low).max()) or 1.0
    return low - margin, high + margin
