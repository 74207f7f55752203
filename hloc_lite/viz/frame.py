"""Coordinates of the 3D page: centred and scaled, so that any map fits float32 and the viewer.

Maps may lie at UTM coordinates, have floors a kilometre apart, or any unit. Browsers compute in
float32, and their near and far planes are fixed lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.maps.map import Map
from hloc_lite.scene import median_scene_distance
from hloc_lite.types import Float32, Float64, Rigid3, freeze_field

SCENE_DISTANCE = 5.0
"""Median distance of cameras from what they see, in units of the viewer. Its camera controls are
made for scenes of some units."""
FRUSTUM_OF_SPACING = 0.7
"""Depth of a frustum over the median distance of neighbouring cameras: they hardly overlap."""
FRUSTUM_LIMITS = (0.03, 0.15)
"""Least and greatest depth of a frustum, over ``SCENE_DISTANCE``: visible, but no wall."""


@dataclass(frozen=True, eq=False)
class ViewerFrame:
    """Similarity from the map to the viewer: x_viewer = scale * (x_world - center)."""

    center: Float64
    """(3,) world."""
    scale: float
    """Units of the viewer per map unit."""
    up: Float64
    """(3,) unit vector, the same in both."""
    frustum_depth: float
    """Depth of the frusta, units of the viewer."""

    def __post_init__(self) -> None:
        freeze_field(self, "center", np.float64, 3)
        freeze_field(self, "up", np.float64, 3)

    def from_world(self, points: npt.NDArray[np.floating]) -> Float32:
        """(..., 3) points in the viewer; subtracted in float64, as maps may lie far from 0."""
        return ((np.asarray(points, np.float64) - self.center) * self.scale).astype(np.float32)


def choose_frame(sfm_map: Map) -> ViewerFrame:
    """Frame in which the map's cameras lie around the origin, and see what is some units away."""
    poses = [image.cam_from_world for image in sfm_map.model.images]
    centers = np.array([pose.center for pose in poses]).reshape(-1, 3)
    center = central_camera(centers)
    seen = median_scene_distance(sfm_map.model) if poses else 1.0
    scale = SCENE_DISTANCE / seen if np.isfinite(seen) and seen > 0 else 1.0
    low, high = np.array(FRUSTUM_LIMITS) * SCENE_DISTANCE
    spacing = median_spacing(centers) * scale
    depth = float(np.clip(FRUSTUM_OF_SPACING * spacing, low, high))
    return ViewerFrame(center, scale, up_of_map(sfm_map, poses), depth)


def up_of_map(sfm_map: Map, poses: list[Rigid3]) -> Float64:
    """(3,) unit vector: up by the map's georeference, else by how the photos were held."""
    if sfm_map.georeference is not None:
        return -sfm_map.georeference.down_in_map
    return approximate_up(poses)


def central_camera(centers: Float64) -> Float64:
    """(3,) the one of (N, 3) camera centres that is nearest to their median; 0 without any.

    The median itself may lie in the void between two floors.
    """
    if len(centers) == 0:
        return np.zeros(3)
    median = np.median(centers, axis=0)
    nearest: Float64 = centers[np.argmin(np.linalg.norm(centers - median, axis=1))]
    return nearest


def median_spacing(centers: Float64) -> float:
    """Median distance of each of (N, 3) centres from the nearest at another place; inf if none."""
    places = np.unique(centers, axis=0)
    if len(places) < 2:
        return float("inf")
    distances, _ = cKDTree(places).query(places, k=2)
    return float(np.median(distances[:, 1]))
