"""Which way is up, as cameras that are held level say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float64, Rigid3

LEAST_SIGMA_DEG = 1.0
"""People hold cameras level to about this on average, however many photos they take."""
LEVEL_DEG = 5.0
"""How far a single photo is tilted sideways, typically: photos far beyond count little."""
MAX_MEDIAN_DEG = 6.0
"""If half the photos are tilted by more, they are not held level: of photos turned at random 1 in
10 is within that of any plane."""
MIN_CAMERAS = 5
"""Any two are level for some direction of up."""
MIN_TURN_DEG = 10.0
"""Between the cameras' directions: looking all one way, nothing tells how far they look down."""
MIN_UPRIGHT = 0.1
"""Mean cosine between the photos' up and up: below, they look straight down or up."""


@dataclass(frozen=True, eq=False)
class CamerasUp:
    """Up, by the cameras."""

    direction: Float64
    """(3,) unit vector, world."""
    sigma_deg: float
    """Its standard deviation."""


def up_of_cameras(poses: Sequence[Rigid3]) -> CamerasUp | str:
    """Up in the world if most photos are held without sideways tilt: the direction that is across
    the x axes of the cameras, however far they look up or down.

    Args:
        poses: cam_from_world of upright photos.

    Returns:
        A reason (half a sentence) where they do not say.
    """
    rights = np.array([pose.rotation[0] for pose in poses])
    if len(rights) < MIN_CAMERAS:
        return f"they are fewer than {MIN_CAMERAS}"
    weights = np.ones(len(rights))
    for _ in range(10):
        values, vectors = np.linalg.eigh((rights * weights[:, None]).T @ rights / weights.sum())
        up = vectors[:, 0]
        tilts_deg = np.degrees(np.arcsin(np.clip(rights @ up, -1, 1)))
        weights = 1 / (1 + np.square(tilts_deg / LEVEL_DEG))
    if np.sqrt(values[1]) < np.sin(np.radians(MIN_TURN_DEG)):
        return "they all look the same way"
    if np.median(np.abs(tilts_deg)) > MAX_MEDIAN_DEG:
        return "they are not held level"
    upright = float(np.mean([-pose.rotation[1] @ up for pose in poses]))
    if abs(upright) < MIN_UPRIGHT:
        return "they look straight up or down, or as many are upside down as upright"
    spread_deg = float(np.sqrt(weights @ tilts_deg**2 / weights.sum()))
    sigma_deg = spread_deg / np.sqrt(weights.sum() * values[1])
    return CamerasUp(np.sign(upright) * up, float(np.hypot(sigma_deg, LEAST_SIGMA_DEG)))


def rotation_to_z(direction: Float64) -> Float64:
    """(3, 3) rotation that turns a (3,) unit vector into (0, 0, 1)."""
    aside = np.eye(3)[int(np.argmin(np.abs(direction)))]
    first = np.cross(aside, direction)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first), direction])
