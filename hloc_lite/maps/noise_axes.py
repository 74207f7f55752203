"""Direction in which landmarks of a map from depth are uncertain: along the rays that see them."""

from __future__ import annotations

import numpy as np

from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import Float32, Float64


def noise_axes(model: SfmModel, sigmas: Float32) -> Float64:
    """(M, 3) one standard deviation of each landmark along the mean ray of its images, world.

    Depth is less certain than direction, so a landmark moves along its rays. A query that looks
    from where the map photo was taken hardly notices; one that looks from aside does.

    Args:
        sigmas: (M,) standard deviations, map units.
    """
    directions = np.zeros((model.num_points, 3))
    for image in model.images:
        points = visible_points(image)
        rays = model.xyz[points] - image.cam_from_world.center
        directions[points] += rays / np.maximum(np.linalg.norm(rays, axis=1), 1e-12)[:, None]
    lengths = np.maximum(np.linalg.norm(directions, axis=1), 1e-12)
    return np.asarray(directions * (sigmas / lengths)[:, None], np.float64)
