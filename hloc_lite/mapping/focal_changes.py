"""Changes of focal lengths by an adjustment: of photos of one camera, and of known cameras."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Camera


def focal_change(model: SfmModel, known: Mapping[int, Camera], kept: Collection[int]) -> float:
    """Median over the images with kept cameras of the change of their focal length, as a share."""
    changes = [
        abs(np.log(focal_lengths(model.cameras[key]).mean() / focal_lengths(known[key]).mean()))
        for key in (image.camera_id for image in model.images)
        if key in kept
    ]
    return float(np.median(changes)) if changes else 0.0


def focal_disagreement(shared: SfmModel, free: SfmModel, min_points: int) -> float:
    """Typical difference of focal lengths from the shared one, as a share of it.

    Args:
        shared: model whose images share cameras.
        free: the same model after an adjustment in which each image has its own.
        min_points: points that an image needs to count; fewer do not determine a focal length.

    Returns:
        Median over the images, 0 if none counts.
    """
    differences = []
    for image in free.images:
        before = shared.image_named(image.name)
        if before is None or (image.point3D_idxs != NO_POINT).sum() < min_points:
            continue
        focal = focal_lengths(free.cameras[image.camera_id]).mean()
        differences.append(
            abs(np.log(focal / focal_lengths(shared.cameras[before.camera_id]).mean()))
        )
    return float(np.median(differences)) if differences else 0.0
