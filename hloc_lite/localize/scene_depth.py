"""How far a map's scene is from its cameras: the length that others are given in, where units are
unknown."""

from __future__ import annotations

import numpy as np

from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT


def median_distance(model: SfmModel) -> float:
    """Of the points from the cameras that see them, map units; without points, of the cameras'
    centres from their mean."""
    distances = [np.empty(0)]
    for image in model.images:
        seen = image.point3D_idxs[image.point3D_idxs != NO_POINT]
        in_cam = image.cam_from_world.apply(model.xyz[seen])
        distances.append(np.linalg.norm(in_cam, axis=1))
    of_all = np.concatenate(distances)
    if len(of_all) == 0:
        centers = np.array([image.cam_from_world.center for image in model.images])
        of_all = np.linalg.norm(centers - centers.mean(axis=0), axis=1)
    return float(np.median(of_all))
