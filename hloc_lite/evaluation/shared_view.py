"""Map image that sees most inliers of a query, and the keypoints that both share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Bool, Float64, Int64, LocalizationResult


@dataclass(frozen=True, eq=False)
class SharedView:
    """Map image with keypoints of L of a query's correspondences."""

    name: str
    rows: Int64
    """(L,) indices of the correspondences."""
    keypoints: Float64
    """(L, 2) their keypoints in the map image, pixels."""


def best_map_image(result: LocalizationResult, model: SfmModel) -> SharedView | None:
    """Find the retrieved map image that sees most inliers; the first retrieved of equal ones.

    Without a pose all correspondences count, to show what went wrong. None if no retrieved image
    sees any.
    """
    if result.correspondences is None:
        return None
    inliers = inlier_mask(result)
    candidates = np.flatnonzero(inliers | (not inliers.any())).astype(np.int64)
    wanted = result.correspondences.point3D_idxs[candidates]
    best: tuple[SfmImage, Int64] | None = None
    for name in result.hits.names:
        image = model.image_named(name)
        if image is None:
            continue
        lines = _shared_points(image, wanted, candidates)
        if len(lines) and (best is None or len(lines) > len(best[1])):
            best = image, lines
    if best is None:
        return None
    image, lines = best
    return SharedView(image.name, lines[:, 0], keypoints_of(model, image)[lines[:, 1]])


def spread_rows(points2D: Float64, max_count: int) -> Int64:
    """(min(L, max_count),) rows of (L, 2) pixels, evenly chosen from the top of the image down."""
    order = np.argsort(points2D[:, 1], kind="stable")
    chosen: Int64 = order[np.linspace(0, len(order) - 1, min(len(order), max_count)).astype(int)]
    return chosen


def inlier_mask(result: LocalizationResult) -> Bool:
    """(K,) inliers of the pose among the correspondences; all False without a pose."""
    assert result.correspondences is not None
    num = len(result.correspondences)
    if result.pose is None or len(result.pose.inlier_mask) != num:
        return np.zeros(num, np.bool_)
    return result.pose.inlier_mask


def _shared_points(image: SfmImage, wanted: Int64, candidates: Int64) -> Int64:
    """(L, 2) pairs [correspondence, keypoint of the image] of the same map point."""
    keypoints = np.flatnonzero(image.point3D_idxs != NO_POINT)
    _, rows, columns = np.intersect1d(wanted, image.point3D_idxs[keypoints], return_indices=True)
    return np.stack([candidates[rows], keypoints[columns]], axis=1)
