"""Landmarks that should be seen under a pose, by where the images that observe them were taken.

A pose at a place that only looks alike explains the matches that agree with it, but not why the
other landmarks in view were not found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import VisibilityConfig
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.protocols import Lifter
from hloc_lite.scene import SfmModel
from hloc_lite.types import Bool, Camera, Float64, Int64, Rigid3, freeze_field


@dataclass(frozen=True, eq=False)
class Observations:
    """R observations of landmarks by map images."""

    point3D_idxs: Int64
    """(R,) landmark of each observation."""
    xyz: Float64
    """(R, 3) its world coordinates, map units."""
    centers: Float64
    """(R, 3) centre of the camera that observes it."""

    def __post_init__(self) -> None:
        freeze_field(self, "point3D_idxs", np.int64, None)
        freeze_field(self, "xyz", np.float64, len(self.point3D_idxs), 3)
        freeze_field(self, "centers", np.float64, len(self.point3D_idxs), 3)


def observations(points: Mapping[str, Int64], lifter: Lifter, model: SfmModel) -> Observations:
    """Observations of landmarks by some images of a map.

    Args:
        points: name of an image -> (K,) landmarks that it observes; images that ``model`` lacks are
            left out.
    """
    idxs, centers = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
    for name, own in points.items():
        image = model.image_named(name)
        if image is not None:
            idxs.append(own)
            centers.append(np.broadcast_to(image.cam_from_world.center, (len(own), 3)))
    joined = np.concatenate(idxs)
    return Observations(joined, lifter.xyz_of(joined), np.concatenate(centers))


def expected_landmarks(
    observations: Observations, cam_from_world: Rigid3, camera: Camera, config: VisibilityConfig
) -> Int64:
    """Landmarks that should be seen under a pose, ascending.

    A landmark is expected if it projects into the photo and some map image observes it from a
    similar direction and distance; so walls between are none between it and a camera nearby.
    """
    in_cam = cam_from_world.apply(observations.xyz)
    seen = is_in_view(in_cam, camera)
    seen &= _is_similar_view(observations, cam_from_world.center, config)
    return np.unique(observations.point3D_idxs[seen])


def is_in_view(points_in_cam: Float64, camera: Camera) -> Bool:
    """(R,) True for (R, 3) points that project into the image."""
    with np.errstate(invalid="ignore"):
        xy = img_from_cam(camera, points_in_cam)
        inside = ((xy >= 0) & (xy <= (camera.width, camera.height))).all(axis=1)
    return np.asarray(inside)


def _is_similar_view(observations: Observations, center: Float64, config: VisibilityConfig) -> Bool:
    own, theirs = center - observations.xyz, observations.centers - observations.xyz
    lengths = np.linalg.norm(own, axis=1), np.linalg.norm(theirs, axis=1)
    products = np.maximum(lengths[0] * lengths[1], 1e-12)
    cosines = np.einsum("ij,ij->i", own, theirs) / products
    ratios = np.maximum(lengths[0], 1e-12) / np.maximum(lengths[1], 1e-12)
    near = np.maximum(ratios, 1 / ratios) <= config.max_distance_ratio
    return np.asarray(near & (cosines >= np.cos(np.radians(config.max_angle_deg))))
