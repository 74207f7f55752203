"""Union of sets of correspondences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.types import Correspondences, Int64


def merge_correspondences(parts: Sequence[Correspondences]) -> tuple[Correspondences, Int64]:
    """Merge sets of correspondences; each (keypoint, point) pair keeps its largest weight.

    Returns:
        The (K,) merged correspondences, and (K,) the row of each among all parts in order.
    """
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("points2D", "points3D", "keypoint_idxs", "point3D_idxs", "weights")
    ]
    points2D, points3D, keypoints, points, weights = columns
    factors = [
        np.ones(len(part)) if part.bound_factors is None else part.bound_factors for part in parts
    ]
    axes = [
        np.zeros((len(part), 3)) if part.noise_axes is None else part.noise_axes for part in parts
    ]
    has_axes = any(part.noise_axes is not None for part in parts)
    has_factors = any(part.bound_factors is not None for part in parts)
    order = np.lexsort((-weights, points, keypoints))
    pairs = np.stack([keypoints[order], points[order]])
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(pairs, axis=1) != 0).any(axis=0)
    rows: Int64 = order[first]
    merged = Correspondences(
        points2D[rows],
        points3D[rows],
        keypoints[rows],
        points[rows],
        weights[rows],
        np.concatenate(factors)[rows] if has_factors else None,
        np.concatenate(axes)[rows] if has_axes else None,
    )
    return merged, rows
