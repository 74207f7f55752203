"""A map from above, as JSON: camera positions and some points in the plane of the ground."""

from __future__ import annotations

import json

import numpy as np

from hloc_lite.geometry.ground_plane import ground_axes, plan_limits
from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.types import Float64, SfmModel

DIGITS = 4
"""Significant digits of coordinates: a thousandth of the plan is less than a pixel."""


def plan_of(name: str, model: SfmModel, max_points: int) -> bytes:
    """JSON: ``axes`` (2, 3) that project world points to the plan, ``limits`` (x, y of the lower
    and of the upper corner), ``cameras`` [x, y, dx, dy] with where they look, ``points`` [x, y]."""
    poses = [image.cam_from_world for image in model.images]
    centers = np.array([pose.center for pose in poses]).reshape(-1, 3)
    up = approximate_up(poses)
    axes = ground_axes(up, np.concatenate([model.xyz, centers]))
    flat_cameras = centers @ axes.T
    looks = np.array([pose.rotation[2] for pose in poses]).reshape(-1, 3) @ axes.T
    flat = model.xyz @ axes.T
    low, high = plan_limits(flat, flat_cameras)
    inside = flat[((flat >= low) & (flat <= high)).all(axis=1)]
    some = np.linspace(0, len(inside) - 1, min(len(inside), max_points)).astype(int)
    plan = {
        "map": name,
        "axes": axes.tolist(),
        "up": up.tolist(),
        "limits": [low.tolist(), high.tolist()],
        "cameras": _rounded(np.hstack([flat_cameras, looks]), high - low),
        "points": _rounded(inside[some], high - low),
    }
    return json.dumps(plan, separators=(",", ":")).encode()


def _rounded(rows: Float64, size: Float64) -> list[list[float]]:
    digits = DIGITS - int(np.ceil(np.log10(max(float(size.max()), 1e-9))))
    rounded: list[list[float]] = np.round(rows, max(0, digits)).tolist()
    return rounded
