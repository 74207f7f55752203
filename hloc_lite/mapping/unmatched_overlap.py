"""Images that should have matches by the model, but have none: places put on top of each other.

Streets that look alike are merged by the images that do look alike. The others then stand in a
street that is not theirs: they see landmarks of both streets at the same places, and do not match.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from hloc_lite.config import AssessmentConfig
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.mapping.pairs import Pair
from hloc_lite.scene import SfmImage, SfmModel, visible_points
from hloc_lite.types import Camera, Float64, Int64

SAME_PIXEL_SHARE = 0.03
"""Distance of landmarks at the same place in an image, as a share of its longer side."""
SAME_DEPTH = 0.1
"""Relative difference of depth of landmarks at the same place."""
MAX_ANGLE_DEG = 20.0
"""Features are matched between viewing directions that differ by less, ..."""
MAX_SCALE = 1.5
"""... and between distances whose ratio is smaller."""


@dataclass(frozen=True, eq=False)
class _View:
    """Landmarks that an image observes."""

    image: SfmImage
    camera: Camera
    rows: Int64
    xyz: Float64
    pixels: Float64
    depth: Float64
    tree: KDTree


def contradicting_counts(
    model: SfmModel, tried: Collection[Pair], config: AssessmentConfig
) -> dict[str, tuple[int, int]]:
    """Name -> images that should match with each image but do not, and all that should.

    Args:
        tried: pairs whose matching was tried.
    """
    views = {
        image.name: view for image in model.images if (view := _view(model, image)) is not None
    }
    counts = dict.fromkeys((image.name for image in model.images), (0, 0))
    for first, second in tried:
        if first not in views or second not in views:
            continue
        one, other = views[first], views[second]
        overlap = _overlap(one, other)
        if overlap >= config.min_overlap:
            overlap = min(overlap, _overlap(other, one))
        if overlap < config.min_overlap:
            continue
        shared = len(np.intersect1d(one.rows, other.rows, assume_unique=True))
        contradicts = shared <= config.min_overlap_matched * overlap
        for name in (first, second):
            wrong, total = counts[name]
            counts[name] = (wrong + contradicts, total + 1)
    return counts


def flagged(counts: Mapping[str, tuple[int, int]], config: AssessmentConfig) -> set[str]:
    """Names of images that too many others contradict; one of three could be chance."""
    return {
        name
        for name, (wrong, total) in counts.items()
        if wrong >= 2 and wrong > config.max_contradicting_share * total
    }


def _view(model: SfmModel, image: SfmImage) -> _View | None:
    rows = visible_points(image)
    xyz = model.xyz[rows]
    in_cam = image.cam_from_world.apply(xyz)
    camera = model.cameras[image.camera_id]
    pixels = img_from_cam(camera, in_cam)
    good = np.isfinite(pixels).all(axis=1)
    if not good.any():
        return None
    rows, xyz, pixels, in_cam = rows[good], xyz[good], pixels[good], in_cam[good]
    return _View(image, camera, rows, xyz, pixels, in_cam[:, 2], KDTree(pixels))


def _overlap(one_view: _View, other_view: _View) -> int:
    """Number of landmarks of one image at the same places as landmarks of another image."""
    to_one = one_view.image.cam_from_world.center - one_view.xyz
    to_other = other_view.image.cam_from_world.center - one_view.xyz
    one, other = np.linalg.norm(to_one, axis=1), np.linalg.norm(to_other, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (to_one * to_other).sum(axis=1) / (one * other)
        scale = np.abs(np.log(one / other))
    near = (cosine > np.cos(np.deg2rad(MAX_ANGLE_DEG))) & (scale < np.log(MAX_SCALE))
    in_cam = other_view.image.cam_from_world.apply(one_view.xyz[near])
    pixels = img_from_cam(other_view.camera, in_cam)
    size = np.array([other_view.camera.width, other_view.camera.height])
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < size)).all(axis=1)
    if not inside.any():
        return 0
    radius = SAME_PIXEL_SHARE * float(size.max())
    distance, nearest = other_view.tree.query(pixels[inside], distance_upper_bound=radius)
    found = np.isfinite(distance)
    depth = in_cam[inside, 2][found]
    apart = np.abs(other_view.depth[nearest[found]] / depth - 1)
    return int((apart < SAME_DEPTH).sum())
