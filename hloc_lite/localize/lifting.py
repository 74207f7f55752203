"""From matches with map images to correspondences with map points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hloc_lite.types import (
    NO_POINT,
    Correspondences,
    Float32,
    Int64,
    LocalFeatures,
    Matches,
    SfmModel,
)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What a map image offers to be matched: features, and the map point of each."""

    features: LocalFeatures
    point3D_idxs: Int64
    """(N,) rows of ``SfmModel.xyz``; ``NO_POINT`` where there is none."""


def landmarks_of(
    features: LocalFeatures, point3D_idxs: Int64, *, only_landmarks: bool
) -> Landmarks:
    """The features of a map image, or only those with a map point."""
    if not only_landmarks:
        return Landmarks(features, point3D_idxs)
    seen = point3D_idxs != NO_POINT
    kept = LocalFeatures(
        features.keypoints[seen],
        features.descriptors[seen],
        features.scores[seen],
        features.image_size,
    )
    return Landmarks(kept, point3D_idxs[seen])


def lift(
    keypoints: Float32,
    matches: Sequence[tuple[Matches, Landmarks]],
    model: SfmModel,
) -> Correspondences:
    """Correspondences of a query, each (keypoint, map point) pair once however many images say so.

    Args:
        keypoints: (N, 2) of the query.
        matches: of the query (first) with map images (second).
    """
    pairs = [np.empty((0, 2), np.int64)]
    for found, landmarks in matches:
        points = landmarks.point3D_idxs[found.indices[:, 1]]
        pairs.append(np.stack([found.indices[:, 0], points], axis=1)[points != NO_POINT])
    unique = np.unique(np.concatenate(pairs), axis=0)
    keypoint_idxs, point3D_idxs = unique[:, 0], unique[:, 1]
    return Correspondences(
        keypoints[keypoint_idxs].astype(np.float64),
        model.xyz[point3D_idxs],
        keypoint_idxs,
        point3D_idxs,
        np.ones(len(unique)),
    )


def covisibility_clusters(point3D_idxs: Mapping[str, Int64]) -> list[list[str]]:
    """Groups of images that see common points, directly or through others of them.

    Args:
        point3D_idxs: of each image, ``NO_POINT`` allowed.

    Returns:
        Groups in the order of their first image; images in the order given.
    """
    names = list(point3D_idxs)
    seen = [np.unique(points[points != NO_POINT]) for points in point3D_idxs.values()]
    columns = np.concatenate([np.empty(0, np.int64), *seen])
    rows = np.repeat(np.arange(len(names)), [len(points) for points in seen])
    points, columns = np.unique(columns, return_inverse=True)
    # a graph of images and points, an edge where an image sees a point
    size = len(names) + len(points)
    edges = coo_matrix((np.ones(len(rows)), (rows, columns + len(names))), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    groups: dict[int, list[str]] = {}
    for name, label in zip(names, labels[: len(names)], strict=True):
        groups.setdefault(int(label), []).append(name)
    return list(groups.values())
