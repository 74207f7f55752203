"""One keypoint set per image from matches that have keypoints of their own.

A pair matcher finds other keypoints in an image for each pair. Structure from motion needs the same
keypoint in several pairs, so those that fall into one cell of a grid become one keypoint, as in
hloc's ``match_dense``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, Float64, Int64, LocalFeatures, Matches, PairMatches

NamePair = tuple[str, str]
CELL_PX = 2.0
"""Side of a cell: above the error of dense matchers, below the distance of two structures."""


@dataclass(frozen=True, eq=False)
class _Observations:
    """All matched points of one image, of its pairs in order."""

    points: Float64
    """(S, 2) pixels."""
    scores: Float32
    """(S,)."""
    image_size: tuple[int, int]


def aggregate_keypoints(
    pair_matches: Mapping[NamePair, PairMatches],
    *,
    cell_px: float = CELL_PX,
    fixed: Mapping[str, LocalFeatures] | None = None,
    max_distance_px: float | None = None,
) -> tuple[dict[str, LocalFeatures], dict[NamePair, Matches]]:
    """Merge the keypoints that each image has in its pairs.

    A merged keypoint is the mean of the points in its cell, with the largest of their scores.
    Points that are close to each other, but in two cells, stay apart.

    Args:
        pair_matches: matches of photos by the names of both; their order has no effect.
        cell_px: side of a cell, pixels.
        fixed: features that images have already, such as map images whose query is matched. Points
            take the nearest of them, and are dropped if it is farther than ``max_distance_px``.
        max_distance_px: see ``fixed``; None for ``cell_px``.

    Returns:
        Features of each image without descriptors (D = 0), best score first; those of ``fixed`` as
        given. Matches of each pair into them: each keypoint at most once, of several matches the
        one with the best score.

    Raises:
        ShapeError: an image has different sizes in different pairs.
    """
    pairs = sorted(pair_matches)
    limit = cell_px if max_distance_px is None else max_distance_px
    features = dict(fixed or {})
    idxs_of: dict[str, Int64] = {}
    for name, observed in _observations(pair_matches).items():
        if name in features:
            idxs_of[name] = _nearest(observed.points, features[name].keypoints, limit)
        else:
            features[name], idxs_of[name] = _merge(observed, cell_px)
    used = dict.fromkeys(idxs_of, 0)
    matches: dict[NamePair, Matches] = {}
    for pair in pairs:
        scores = pair_matches[pair].scores
        columns = []
        for name in pair:
            columns.append(idxs_of[name][used[name] : used[name] + len(scores)])
            used[name] += len(scores)
        matches[pair] = _one_to_one(np.stack(columns, axis=1), scores)
    return {name: features[name] for name in idxs_of}, matches


def _observations(pair_matches: Mapping[NamePair, PairMatches]) -> dict[str, _Observations]:
    """Points of each image, concatenated over its pairs in sorted order."""
    parts: dict[str, list[tuple[Float32, Float32, tuple[int, int]]]] = {}
    for pair in sorted(pair_matches):
        found = pair_matches[pair]
        sides = (found.keypoints0, found.image_size0), (found.keypoints1, found.image_size1)
        for name, (keypoints, size) in zip(pair, sides, strict=True):
            parts.setdefault(name, []).append((keypoints, found.scores, size))
    observations = {}
    for name, of_image in parts.items():
        sizes = sorted({size for _, _, size in of_image})
        if len(sizes) > 1:
            raise ShapeError(
                f"image {name!r} has different sizes in its pairs: {sizes}; give pixels and size "
                f"of the original photo"
            )
        points = np.concatenate([keypoints for keypoints, _, _ in of_image]).astype(np.float64)
        scores = np.concatenate([scores for _, scores, _ in of_image])
        observations[name] = _Observations(points, scores, sizes[0])
    return observations


def _merge(observed: _Observations, cell_px: float) -> tuple[LocalFeatures, Int64]:
    """One keypoint for each occupied cell, and (S,) the keypoint of each point."""
    cells = np.floor(observed.points / cell_px).astype(np.int64)
    occupied, cell_idxs = np.unique(cells, axis=0, return_inverse=True)
    cell_idxs = cell_idxs.reshape(-1)
    counts = np.bincount(cell_idxs, minlength=len(occupied))
    means = np.stack(
        [np.bincount(cell_idxs, column, len(occupied)) / counts for column in observed.points.T],
        axis=1,
    )
    scores = np.zeros(len(occupied), np.float32)
    np.maximum.at(scores, cell_idxs, observed.scores)
    # best first; equal scores by position, so that the order depends on the image alone
    order = np.lexsort((means[:, 0], means[:, 1], -scores))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    features = LocalFeatures(
        keypoints=means[order].astype(np.float32),
        descriptors=np.zeros((len(order), 0), np.float32),
        scores=scores[order],
        image_size=observed.image_size,
    )
    return features, rank[cell_idxs]


def _nearest(points: Float64, keypoints: Float32, max_distance_px: float) -> Int64:
    """(S,) the nearest keypoint of each point, -1 where none is near enough."""
    if len(keypoints) == 0:
        return np.full(len(points), -1)
    distances, idxs = cKDTree(keypoints).query(points)
    return np.where(distances <= max_distance_px, idxs, -1)


def _one_to_one(indices: Int64, scores: Float32) -> Matches:
    """The best match of each keypoint of the first image, then of each of the second."""
    known = np.flatnonzero((indices >= 0).all(axis=1))
    rows = known[np.lexsort((indices[known, 1], indices[known, 0], -scores[known]))]
    for side in (0, 1):
        _, first = np.unique(indices[rows, side], return_index=True)
        rows = rows[np.sort(first)]
    rows = rows[np.argsort(indices[rows, 0])]
    return Matches(indices[rows].astype(np.int32), scores[rows])
