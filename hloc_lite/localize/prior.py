"""Pose priors: they narrow the retrieved images, and a pose that contradicts them is withheld.

The direction of gravity in the world comes from the prior itself, or from the map's georeference
(``Georeference.down_in_map``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from hloc_lite.config import PriorConfig
from hloc_lite.errors import ShapeError
from hloc_lite.localize.verification import VerifiedPose
from hloc_lite.maps.georeference import Georeference
from hloc_lite.maps.map import Map
from hloc_lite.scene import median_scene_distance
from hloc_lite.types import Bool, Float64, Prior, Rigid3, frozen_array

GPS_RADIUS_FACTOR = 3.0
"""Radius over a phone's stated accuracy, which holds for 68 % of positions.

Three times the accuracy holds for all but 1 in 30,000 normal errors. Errors among houses are not
normal: a prior that excludes the truth loses the query, a wide one costs some milliseconds."""


class PriorFilter:
    """Applies priors in one map: selects images, and withholds poses that contradict a prior."""

    def __init__(self, sfm_map: Map, config: PriorConfig) -> None:
        self._map, self._config = sfm_map, config
        georeference = sfm_map.georeference
        self._down = None if georeference is None else georeference.down_in_map

    def image_names(self, prior: Prior) -> list[str]:
        """Names of the map images that may share the camera's view."""
        images = self._map.model.images
        near = images_within(prior, self._centers, self._margin, self._down)
        return [images[row].name for row in np.flatnonzero(near)]

    def check(self, verified: VerifiedPose, prior: Prior) -> VerifiedPose:
        """Reject a pose that contradicts the prior.

        One that is not accepted keeps its probability: the search for a surer one goes on.
        """
        pose = verified.selected.hypothesis.pose
        if pose is None:
            return verified
        agrees, sentence = check_pose(prior, pose.cam_from_world, self._down)
        if agrees:
            return verified
        if not verified.is_accepted:  # but a promise may have a lower threshold
            return replace(verified, prior_conflict=sentence)
        return replace(verified, probability=0.0, is_accepted=False, prior_conflict=sentence)

    @cached_property
    def _centers(self) -> Float64:
        centers = [image.cam_from_world.center for image in self._map.model.images]
        return np.array(centers).reshape(-1, 3)

    @cached_property
    def _margin(self) -> float:
        return self._config.margin_depths * median_scene_distance(self._map.model)


def images_within(
    prior: Prior, centers: Float64, margin: float, down_in_world: Float64 | None = None
) -> Bool:
    """Select map images that may share the camera's view.

    Args:
        centers: (M, 3) camera centres of the images, world.
        margin: distance beyond the prior's radius at which an image still counts, map units:
            ``config.prior.margin_depths`` median distances of the map's points from their cameras.
        down_in_world: (3,) gravity, used if the prior has none; without any, heights are ignored.

    Returns:
        (M,) True where the image is near enough, and at most half the extent of ``prior.heights``
        above or below it. Heights are those of a floor, and the next floor is a whole extent away.

    Raises:
        ShapeError: negative margin, other shapes, or gravity without a direction.
    """
    centers = np.asarray(frozen_array(centers, np.float64, (None, 3), "centers"), np.float64)
    if not margin >= 0:
        raise ShapeError(f"margin: expected a length of 0 or more, got {margin}")
    near = np.ones(len(centers), np.bool_)
    if prior.position is not None:
        near &= np.linalg.norm(centers - prior.position, axis=1) <= prior.radius + margin
    down = _down(prior, down_in_world)
    if prior.heights is not None and down is not None:
        low, high = prior.heights
        half_band = (high - low) / 2
        heights = -centers @ down
        near &= (heights >= low - half_band) & (heights <= high + half_band)
    return near


def check_pose(
    prior: Prior, cam_from_world: Rigid3, down_in_world: Float64 | None = None
) -> tuple[bool, str]:
    """Check a pose against a prior.

    Args:
        down_in_world: (3,) gravity, used if the prior has none; without any, gravity and heights
            are not compared.

    Returns:
        True if the pose agrees with the prior, and one sentence for people.

    Raises:
        ShapeError: gravity in the world has no direction.
    """
    against: list[str] = []
    for_it: list[str] = []
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
    if against:
        wrong = " and ".join(text.replace(", within", ", expected within") for text in against)
        return False, f"the pose {wrong}"
    sentence = (
        f"the pose {', '.join(for_it)}" if for_it else "the prior does not constrain the pose"
    )
    ignored = ignored_parts(prior, down_in_world)
    return True, f"{sentence} ({ignored})" if ignored else sentence


def ignored_parts(prior: Prior, down_in_world: Float64 | None) -> str:
    """Parts of a prior that cannot be used, in words; empty if all can.

    Args:
        down_in_world: (3,) gravity in the map; None if unknown.
    """
    given = {"gravity": prior.gravity_in_cam, "height": prior.heights}
    parts = [name for name, value in given.items() if value is not None]
    if not parts or _down(prior, down_in_world) is not None:
        return ""
    return f"{' and '.join(parts)} not compared: gravity in the map is unknown"


def prior_from_gps(
    georeference: Georeference,
    latitude_deg: float,
    longitude_deg: float,
    accuracy_m: float,
    height_m: float | None = None,
) -> Prior:
    """Make the prior of a satellite position; gravity is that of the georeference.

    Args:
        accuracy_m: radius that contains the true position with 68 %, as phones report it. The
            prior's radius is ``GPS_RADIUS_FACTOR`` times that, plus the georeference's own error.
        height_m: height above the ellipsoid, as uncertain as the rest. None (better where it may
            be above sea level) for any height between the lowest and highest camera of the map.

    Raises:
        FormatError: latitude or longitude out of range.
        ShapeError: an accuracy that is not positive.
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
    """(3,) unit vector of gravity in the world; None if unknown."""
    down = prior.gravity_in_world if prior.gravity_in_world is not None else down_in_world
    if down is None:
        return None
    length = float(np.linalg.norm(down))
    if not (np.isfinite(length) and length > 0):
        raise ShapeError(f"gravity in the world: expected a vector of positive length, got {down}")
    return np.asarray(down, np.float64) / length


def _angle_deg(a: Float64, b: Float64) -> float:
    """Angle between two vectors; accurate also near 0 and 180 degrees."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
