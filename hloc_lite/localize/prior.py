"""What is known of a camera beforehand: which map images it may share, and whether a pose agrees.

Pure functions on ``types.Prior``. Down in the world comes from the prior itself, or from the map's
georeference (``Georeference.down_in_map``).
"""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.maps.georeference import Georeference
from hloc_lite.types import Bool, Float64, Prior, Rigid3, frozen_array

GPS_RADIUS_FACTOR = 3.0
"""Radius over a phone's stated accuracy, which holds for 68 % of positions: three times it holds
for all but 1 in 30,000 of normal errors. Among houses errors are not normal; a prior that shuts
out the truth costs the query, a wide one some milliseconds."""


def images_within(
    prior: Prior, centers: Float64, slack: float, down_in_world: Float64 | None = None
) -> Bool:
    """Which map images may see what the camera sees.

    Args:
        centers: (M, 3) of the images' cameras, world.
        slack: how far beyond the radius an image still counts, map units:
            ``config.prior.margin_depths`` median distances of the map's points from their cameras.
        down_in_world: (3,) used if the prior has none; without any, heights say nothing.

    Returns:
        (M,) True where the camera is near enough, and at most half the height of the band
        ``prior.heights`` outside of it: a band is a floor, and the next one lies a whole one away.

    Raises:
        ShapeError: a slack below 0, or other shapes.
    """
    centers = np.asarray(frozen_array(centers, np.float64, (None, 3), "centers"), np.float64)
    if not slack >= 0:
        raise ShapeError(f"slack: expected a length of 0 or more, got {slack}")
    near = np.ones(len(centers), np.bool_)
    if prior.position is not None:
        near &= np.linalg.norm(centers - prior.position, axis=1) <= prior.radius + slack
    down = _down(prior, down_in_world)
    if prior.heights is not None and down is not None:
        low, high = prior.heights
        margin = max(high - low, 0.0) / 2
        heights = -centers @ down
        near &= (heights >= low - margin) & (heights <= high + margin)
    return near


def agrees(
    prior: Prior, cam_from_world: Rigid3, down_in_world: Float64 | None = None
) -> tuple[bool, str]:
    """Whether a pose is where and as the prior says, and one sentence for people on it.

    Args:
        down_in_world: (3,) used if the prior has none; without any, gravity and heights say
            nothing.
    """
    against: list[str] = []
    for_it: list[str] = []
    unused: list[str] = []
    down = _down(prior, down_in_world)
    center = cam_from_world.center
    if prior.position is not None:
        distance = float(np.linalg.norm(center - prior.position))
        text = (
            f"lies {distance:.3g} map units from the expected position, within {prior.radius:.3g}"
        )
        (for_it if distance <= prior.radius else against).append(text)
    if prior.gravity_in_cam is not None and down is not None:
        found = cam_from_world.rotation.T @ prior.gravity_in_cam
        angle_deg = _angle_deg(found, down)
        limit = prior.gravity_tolerance_deg
        text = f"is tilted {angle_deg:.3g} deg against gravity, within {limit:.3g}"
        (for_it if angle_deg <= limit else against).append(text)
    if prior.heights is not None and down is not None:
        low, high = prior.heights
        height = float(-center @ down)
        text = f"is {height:.3g} map units high, within {low:.3g} to {high:.3g}"
        (for_it if low <= height <= high else against).append(text)
    if down is None:
        given = {"gravity": prior.gravity_in_cam, "height": prior.heights}
        unused = [what for what, value in given.items() if value is not None]
    if against:
        wrong = " and ".join(text.replace(", within", ", expected within") for text in against)
        return False, f"the pose {wrong}"
    sentence = f"the pose {', '.join(for_it)}" if for_it else "the prior says nothing of the pose"
    if unused:
        sentence += (
            f" ({' and '.join(unused)} not compared: which way is down in the map is unknown)"
        )
    return True, sentence


def prior_from_gps(
    georeference: Georeference,
    latitude_deg: float,
    longitude_deg: float,
    accuracy_m: float,
    height_m: float | None = None,
) -> Prior:
    """The prior of a satellite position, with down as the georeference has it.

    Args:
        accuracy_m: radius within which the true position lies with 68 %, as phones give it; the
            prior's is ``GPS_RADIUS_FACTOR`` times that, and what the georeference itself is off.
        height_m: above the ellipsoid, as uncertain as the rest. None, and better where it may be
            above sea level: anywhere between the lowest and the highest camera of the map.

    Raises:
        FormatError: no such place on Earth.
        ShapeError: an accuracy that is no length above 0.
    """
    if not (np.isfinite(accuracy_m) and accuracy_m > 0):
        raise ShapeError(f"accuracy_m: expected a length above 0, got {accuracy_m}")
    quality, half_band_m = georeference.quality, 0.0
    if height_m is None:
        low, high = quality.heights_m
        height_m = georeference.height_m + (low + high) / 2
        half_band_m = (high - low) / 2
    radius_m = np.hypot(GPS_RADIUS_FACTOR * accuracy_m + quality.median_error_m, half_band_m)
    return Prior(
        position=georeference.map_from_geodetic(latitude_deg, longitude_deg, height_m),
        radius=float(radius_m) / georeference.metres_per_unit,
        gravity_in_world=georeference.down_in_map,
    )


def _down(prior: Prior, down_in_world: Float64 | None) -> Float64 | None:
    """(3,) unit vector, None if nobody knows it."""
    down = prior.gravity_in_world if prior.gravity_in_world is not None else down_in_world
    if down is None:
        return None
    length = float(np.linalg.norm(down))
    if not (np.isfinite(length) and length > 0):
        raise ShapeError(f"which way is down: expected a vector with a length, got {down}")
    return np.asarray(down, np.float64) / length


def _angle_deg(a: Float64, b: Float64) -> float:
    """Between two vectors; accurate also near 0 and 180."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
