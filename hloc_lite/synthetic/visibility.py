"""Ray-cast tests of planned views: free of obstacles, and covered by map images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.geometry.cameras import bearings, img_from_cam
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.raycasting import RaycastScene
from hloc_lite.types import Bool, Camera, Float64, Rigid3

MAX_VIEW_ANGLE_DEG = 50.0
"""Angle between two views of a point beyond which features rarely match."""
MAX_SCALE_RATIO = 2.5
"""Ratio of image scales beyond which features rarely match."""


@dataclass(frozen=True, eq=False)
class View:
    """Planned image of a town."""

    name: str
    """Image name, relative to images/."""
    pass_name: str
    camera: Camera
    cam_from_world: Rigid3


def is_valid_view(scene: RaycastScene, camera: Camera, pose: Rigid3, strict: bool = True) -> bool:
    """Return True if the camera is clear of obstacles and sees enough of the town.

    ``strict`` also limits moving objects, near surfaces and leaves, and asks for facades.
    """
    around = sphere_directions()
    center = np.ascontiguousarray(np.broadcast_to(pose.center.astype(np.float32), around.shape))
    if scene.distance(center, around).min() < 0.5:
        return False
    distance, surface = _grid_hits(scene, camera, pose, 16, 12)[:2]
    hit = surface >= 0
    if not strict:
        return bool(hit.mean() > 0.2)
    seen_labels = scene.mesh.labels[surface[hit]]
    moving = np.isin(seen_labels, labels.MOVING).sum() / surface.size
    close = (distance[hit] < 2.0).sum() / surface.size
    leaves = (seen_labels == labels.VEGETATION).sum() / surface.size
    built = np.isin(seen_labels, [labels.BUILDING, labels.WALL, labels.FENCE]).sum() / surface.size
    far_enough = float(np.median(distance[hit])) > 3.5 if hit.any() else False
    return bool(
        far_enough and moving < 0.3 and close < 0.12 and leaves < 0.45 and 0.22 < built < 0.9
    )


def sphere_directions() -> np.ndarray:
    """(64, 3) unit vectors, evenly distributed."""
    golden = np.pi * (3 - np.sqrt(5))
    k = np.arange(64)
    z = 1 - (2 * k + 1) / 64
    radius = np.sqrt(1 - z**2)
    points = [radius * np.cos(golden * k), radius * np.sin(golden * k), z]
    return np.stack(points, axis=1).astype(np.float32)


def _grid_hits(scene: RaycastScene, camera: Camera, pose: Rigid3, columns: int, rows: int):  # type: ignore[no-untyped-def]
    """Ray lengths, surfaces and world points at a grid of pixels."""
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    pixels = np.stack([x.ravel() * camera.width, y.ravel() * camera.height], axis=1)
    rays = bearings(camera, pixels) @ pose.rotation
    directions = np.ascontiguousarray(rays, np.float32)
    origins = np.ascontiguousarray(np.broadcast_to(pose.center, rays.shape), np.float32)
    surface = scene.hit(origins, directions)
    distance = scene.distance(origins, directions)
    return distance, surface, pose.center + rays * distance[:, None]


def covisible_share(
    scene: RaycastScene, camera: Camera, pose: Rigid3, mapped: Sequence[View]
) -> float:
    """Share of the query's static surface that at least two map images see similarly.

    That is unoccluded, at a similar scale and from a similar direction.
    """
    distance, surface, points = _grid_hits(scene, camera, pose, 16, 12)
    static = surface >= 0
    static[static] = ~np.isin(scene.mesh.labels[surface[static]], labels.MOVING)
    static &= distance < 60
    points, distance = points[static], distance[static]
    if len(points) < 20:
        return 0.0
    num_views = np.zeros(len(points), int)
    for view in mapped:
        if np.linalg.norm(view.cam_from_world.center - pose.center) > 30:
            continue
        idxs = _similarly_seen(camera, pose, view, points, distance)
        num_views[idxs[_unoccluded(scene, view.cam_from_world.center, points[idxs])]] += 1
    return float((num_views >= 2).mean())


def _similarly_seen(
    camera: Camera, pose: Rigid3, view: View, points: Float64, distance: Float64
) -> np.ndarray:
    """Indices of the points in the view's image, at a similar scale and angle as in the query."""
    pixels = img_from_cam(view.camera, view.cam_from_world.apply(points))
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < (view.camera.width, view.camera.height))).all(axis=1)
    to_map, to_query = view.cam_from_world.center - points, pose.center - points
    reach = np.linalg.norm(to_map, axis=1)
    cosine = (to_map * to_query).sum(axis=1) / np.maximum(reach * distance, 1e-9)
    scale = (view.camera.params[0] / reach) / (camera.params[0] / distance)
    similar = (scale < MAX_SCALE_RATIO) & (scale > 1 / MAX_SCALE_RATIO)
    return np.flatnonzero(inside & similar & (cosine > np.cos(np.radians(MAX_VIEW_ANGLE_DEG))))


def _unoccluded(scene: RaycastScene, center: Float64, points: Float64) -> Bool:
    """(N,) True for points with a free line of sight to ``center``."""
    rays = points - center
    origins = np.ascontiguousarray(np.broadcast_to(center, rays.shape), np.float32)
    length = scene.distance(origins, np.ascontiguousarray(rays, np.float32))
    return length > 0.99
