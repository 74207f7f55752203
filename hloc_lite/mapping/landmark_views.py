"""From where landmarks were seen: a query far from there is not likely to see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import NO_POINT, Float32, SfmModel


@dataclass(frozen=True, eq=False)
class LandmarkViews:
    """Of M landmarks; made anew from a model in less time than it takes to read a file of it."""

    directions: Float32
    """(M, 3) unit, mean direction to the cameras that see it, world; 0 where none does."""
    least_cosines: Float32
    """(M,) of the angle between that and the direction to any of them; 1 where none sees it."""
    nearest: Float32
    """(M,) distance of the nearest of these cameras, map units; inf where none sees it."""
    farthest: Float32
    """(M,) distance of the farthest; 0 where none sees it."""


def landmark_views(model: SfmModel) -> LandmarkViews:
    """The views that the model's images have of its points."""
    points, toward = [np.empty(0, np.int64)], [np.empty((0, 3))]
    for image in model.images:
        seen = image.point3D_idxs[image.point3D_idxs != NO_POINT]
        points.append(seen)
        toward.append(image.cam_from_world.center - model.xyz[seen])
    of, rays = np.concatenate(points), np.concatenate(toward)
    distances = np.linalg.norm(rays, axis=1)
    rays /= np.maximum(distances, 1e-12)[:, None]
    count = model.num_points
    sums = np.stack([np.bincount(of, column, minlength=count) for column in rays.T], axis=1)
    directions = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    cosines, nearest, farthest = np.ones(count), np.full(count, np.inf), np.zeros(count)
    np.minimum.at(cosines, of, (rays * directions[of]).sum(axis=1))
    np.minimum.at(nearest, of, distances)
    np.maximum.at(farthest, of, distances)
    return LandmarkViews(
        directions.astype(np.float32),
        cosines.astype(np.float32),
        nearest.astype(np.float32),
        farthest.astype(np.float32),
    )
