"""Top-down plan of a map as JSON: cameras and a sample of points in the ground plane."""

from __future__ import annotations

import json

import numpy as np

from hloc_lite.geometry.ground_plane import ground_axes, plan_limits
from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64

DIGITS = 4
"""Significant digits of coordinates: a thousandth of the plan is less than a pixel."""


def map_plan_json(name: str, model: SfmModel, max_points: int) -> bytes:
    """Return the plan of a map as JSON.

    Keys: ``axes`` (2, 3), which project world points to the plan; ``limits``, the (x, y) of the
    lower and the upper corner; ``cameras`` [x, y, dx, dy] with the viewing direction; ``points``
    [x, y]; ``up``, the upward direction in the world. All lengths are in map units.
    """
    poses = [image.cam_from_world for image in model.images]
    centers = np.array([pose.center for pose in poses]).reshape(-1, 3)
    up = approximate_up(poses)
    axes = ground_axes(up, np.concatenate([model.xyz, centers]))
    cameras_2d = centers @ axes.T
    directions_2d = np.array([pose.rotation[2] for pose in poses]).reshape(-1, 3) @ axes.T
    points_2d = model.xyz @ axes.T
    low, high = plan_limits(points_2d, cameras_2d)
    inside = points_2d[((points_2d >= low) & (points_2d <= high)).all(axis=1)]
    sample = np.linspace(0, len(inside) - 1, min(len(inside), max_points)).astype(int)
    plan = {
        "map": name,
        "axes": axes.tolist(),
        "up": up.tolist(),
        "limits": [low.tolist(), high.tolist()],
        "cameras": _round(np.hstack([cameras_2d, directions_2d]), high - low),
        "points": _round(inside[sample], high - low),
    }
    return json.dumps(plan, separators=(",", ":")).encode()


def _round(rows: Float64, size: Float64) -> list[list[float]]:
    decimals = DIGITS - int(np.ceil(np.log10(max(float(size.max()), 1e-9))))
    rounded: list[list[float]] = np.round(rows, max(0, decimals)).tolist()
    return rounded
