"""Images with intrinsics and poses, as files of other programs state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3


@dataclass(frozen=True, eq=False, kw_only=True)
class PosedImages:
    """Content of a file that names images with intrinsics or poses."""

    model: SfmModel
    """Images that have a pose, with their cameras; its points may be missing."""
    cameras: Mapping[str, Camera]
    """Image name -> intrinsics, of all images with intrinsics, posed or not."""
    image_folder: Path | None = None
    """Folder that the names are relative to; None if the format does not say."""
    is_metric: bool = False
    """True if the format's unit is the metre by definition."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was left out or assumed."""


def posed_model(cameras: Mapping[str, Camera], poses: Mapping[str, Rigid3]) -> SfmModel:
    """SfM model without points.

    Images with equal intrinsics share a camera. Image and camera ids count from 1 in the order of
    the poses.

    Args:
        cameras: intrinsics of at least the posed images.
        poses: image name -> cam_from_world.
    """
    ids: dict[tuple[object, ...], int] = {}
    by_id: dict[int, Camera] = {}
    images: list[SfmImage] = []
    for name, pose in poses.items():
        camera = cameras[name]
        key = (
            camera.model, camera.width, camera.height, *camera.params.tolist(),
            camera.has_prior_focal,
        )  # fmt: skip
        camera_id = ids.setdefault(key, len(ids) + 1)
        by_id[camera_id] = camera
        no_keypoints = np.zeros((0, 2)), np.zeros(0, np.int64)
        images.append(SfmImage(len(images) + 1, name, camera_id, pose, *no_keypoints))
    return SfmModel(
        by_id, tuple(images), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.uint8),
        np.zeros(0),
    )  # fmt: skip
