"""Model of an exact scene with noisy keypoints, as structure from motion would end with it."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.pairs import Pair
from hloc_lite.scene import SfmImage, SfmModel
from tests.exact_scene import SIZE, ExactScene


def observed_model(
    scene: ExactScene, seed: int, noise_px: float = 0.5, seen: dict[int, int] | None = None
) -> SfmModel:
    """True poses and points of a scene, with the noisy keypoints that its cameras measure.

    Args:
        seen: camera -> number of points that it observes, where these are not all in view.
    """
    rng = np.random.default_rng(seed)
    views = []
    for index, pose in enumerate(scene.poses):
        pixels = img_from_cam(scene.camera, pose.apply(scene.points))
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(((pixels > 0) & (pixels < SIZE)).all(axis=1))
        views.append((rows[: (seen or {}).get(index, len(rows))], pixels))
    points, counts = np.unique(np.concatenate([rows for rows, _ in views]), return_counts=True)
    points = points[counts > 1]  # no track has a single observation
    images = []
    for index, (rows, pixels) in enumerate(views):
        rows = np.intersect1d(rows, points)
        keypoints = pixels[rows] + rng.normal(0, noise_px, (len(rows), 2))
        own = np.searchsorted(points, rows)
        images.append(SfmImage(index + 1, f"{index}.jpg", 1, scene.poses[index], keypoints, own))
    ids = np.arange(1, len(points) + 1)
    colors, errors = np.zeros((len(ids), 3), np.uint8), np.full(len(ids), noise_px)
    xyz = scene.points[points]
    return SfmModel({1: scene.camera}, tuple(images), ids, xyz, colors, errors)


def true_pairs(model: SfmModel) -> dict[Pair, TwoView]:
    """Verified matches of all pairs: the keypoints of the points that both images observe."""
    found = {}
    for first, second in combinations(model.images, 2):
        _, one, other = np.intersect1d(
            first.point3D_idxs, second.point3D_idxs, assume_unique=True, return_indices=True
        )
        found[first.name, second.name] = TwoView(np.stack([one, other], axis=1), "CALIBRATED")
    return found
