"""Axes and limits of floor plans: a map seen from above."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.rotations import rotation_to_z
from hloc_lite.types import Float64


def ground_axes(up: Float64, points: Float64) -> Float64:
    """(2, 3) x and y axis of the plan, perpendicular to ``up``; x along the largest extent.

    Args:
        up: (3,) unit vector.
        points: (N, 3).
    """
    plane = rotation_to_z(up)[:2]
    if len(points) < 2:
        return plane
    flat = (points - np.median(points, axis=0)) @ plane.T
    radius = np.linalg.norm(flat, axis=1)
    flat = flat[radius <= np.quantile(radius, 0.9)]  # outliers must not rotate the plan
    axis = np.linalg.eigh(flat.T @ flat)[1][:, 1]
    axis = axis * (1.0 if axis[np.argmax(np.abs(axis))] > 0 else -1.0)
    rotation = np.array([axis, [-axis[1], axis[0]]])
    return rotation @ plane


def plan_limits(points: Float64, centers: Float64) -> tuple[Float64, Float64]:
    """(2,) lower and (2,) upper corner of a plan with all cameras and most points, and a margin.

    Args:
        points: (N, 2) in the ground plane.
        centers: (M, 2) camera centres in the ground plane.
    """
    parts = [centers] if len(centers) else []
    if len(points):  # outliers must not shrink the rest
        parts.append(np.quantile(points, [0.01, 0.99], axis=0))
    if not parts:
        return np.full(2, -1.0), np.full(2, 1.0)
    corners = np.concatenate(parts)
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = 0.06 * float((high - low).max()) or 1.0
    return low - margin, high + margin
