"""Where an image of a model sees its points."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.types import Camera, Float64, SfmImage, SfmModel


def keypoints_of(model: SfmModel, image: SfmImage) -> Float64:
    """(N, 2) pixels: the image's own keypoints, or where its points project to if it has none.

    Args:
        model: that the image is of.
    """
    if image.keypoints is not None:
        return image.keypoints
    in_cam = image.cam_from_world.apply(model.xyz[image.point3D_idxs])
    return within_image(model.cameras[image.camera_id], in_cam)


def within_image(camera: Camera, points_in_cam: Float64) -> Float64:
    """(N, 2) projections of (N, 3) points that the camera is known to see: one that projects just
    outside was seen at its edge, one that does not project at all may be anywhere."""
    size = np.array([camera.width, camera.height])
    xy = img_from_cam(camera, points_in_cam)
    return np.clip(np.where(np.isfinite(xy), xy, size / 2), 0, size)
