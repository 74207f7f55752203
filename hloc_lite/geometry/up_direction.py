"""Up direction of the world from cameras that were held level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float64, Rigid3

MIN_SIGMA_DEG = 1.0
"""Systematic error: people hold cameras level within about this, however many photos they take."""
TYPICAL_ROLL_DEG = 5.0
"""Typical roll of a photo; photos with much more have low weight."""
MAX_MEDIAN_ROLL_DEG = 6.0
"""Median roll above which the photos were not held level; 1 in 10 randomly oriented photos is
within that of any plane."""
MIN_CAMERAS = 5
"""Smallest number of cameras: any two are level for some up direction."""
MIN_YAW_SPREAD_DEG = 10.0
"""Smallest spread of viewing directions: if all look the same way, pitch is ambiguous."""
MIN_UPRIGHT = 0.1
"""Smallest mean cosine between the photos' up and up; below, they look straight up or down."""


@dataclass(frozen=True, eq=False)
class UpEstimate:
    """Up direction with its uncertainty."""

    direction: Float64
    """(3,) unit vector, world."""
    sigma_deg: float
    """Standard deviation of the direction."""


def estimate_up(poses: Sequence[Rigid3]) -> UpEstimate | str:
    """Estimate up in the world from photos of which most were held without roll.

    It is the direction perpendicular to the x axes of the cameras, at any pitch.

    Args:
        poses: cam_from_world of upright photos.

    Returns:
        The estimate, or the reason (a clause for messages) why there is none.
    """
    rights = np.array([pose.rotation[0] for pose in poses])
    if len(rights) < MIN_CAMERAS:
        return f"they are fewer than {MIN_CAMERAS}"
    weights = np.ones(len(rights))
    for _ in range(10):
        values, vectors = np.linalg.eigh((rights * weights[:, None]).T @ rights / weights.sum())
        up = vectors[:, 0]
        rolls_deg = np.degrees(np.arcsin(np.clip(rights @ up, -1, 1)))
        weights = 1 / (1 + np.square(rolls_deg / TYPICAL_ROLL_DEG))
    if np.sqrt(values[1]) < np.sin(np.radians(MIN_YAW_SPREAD_DEG)):
        return "they all look the same way"
    if np.median(np.abs(rolls_deg)) > MAX_MEDIAN_ROLL_DEG:
        return "they are not held level"
    upright = float(np.mean([-pose.rotation[1] @ up for pose in poses]))
    if abs(upright) < MIN_UPRIGHT:
        return "they look straight up or down, or as many are upside down as upright"
    spread_deg = float(np.sqrt(weights @ rolls_deg**2 / weights.sum()))
    sigma_deg = spread_deg / np.sqrt(weights.sum() * values[1])
    return UpEstimate(np.sign(upright) * up, float(np.hypot(sigma_deg, MIN_SIGMA_DEG)))


def approximate_up(cams_from_world: Sequence[Rigid3]) -> Float64:
    """(3,) unit vector, the best guess of up in the world from the orientations of upright photos.

    People hold cameras level: the image's x axis is horizontal in every viewing direction. So up is
    the direction most perpendicular to all x axes, with low weight for rolled photos. If all look
    the same way, the median of the images' own up directions resolves the ambiguity.

    Args:
        cams_from_world: poses; without any, the result is +z.
    """
    if not cams_from_world:
        return np.array([0.0, 0.0, 1.0])
    right = np.array([pose.rotation[0] for pose in cams_from_world])
    camera_up = -np.array([pose.rotation[1] for pose in cams_from_world])
    initial = np.median(camera_up, axis=0)
    initial = initial / max(float(np.linalg.norm(initial)), 1e-12)
    up = initial
    for _ in range(10):
        weights = 1 / (0.05 + np.abs(right @ up))
        spread = (right * weights[:, None]).T @ right / weights.sum()
        # the small second term resolves a direction that the x axes do not determine
        _, vectors = np.linalg.eigh(spread - 0.001 * np.outer(initial, initial))
        up = vectors[:, 0] * (1.0 if vectors[:, 0] @ initial >= 0 else -1.0)
    return np.asarray(up)
