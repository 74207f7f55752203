"""From matches with map images to correspondences with map points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hloc_lite.types import (
    NO_POINT,
    Int64,
    LocalFeatures,
    Matches,
    PutativeMatches,
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


def shared_out(
    found: Matches, owners: Int64, seen: Mapping[str, Int64]
) -> dict[str, tuple[Matches, Int64]]:
    """Matches with landmarks as matches with all the map images that see them.

    Args:
        found: K matches of a query (first) with descriptors (second).
        owners: (R,) landmark that each descriptor is of.
        seen: of each image the landmarks that it sees, ascending.
    """
    points = owners[found.indices[:, 1]]
    shared = {}
    for name, own in seen.items():
        places = np.minimum(np.searchsorted(own, points), len(own) - 1)
        is_own = own[places] == points
        indices = np.stack([found.indices[is_own, 0], places[is_own]], axis=1)
        shared[name] = (Matches(indices, found.scores[is_own]), own)
    return shared


def lift(matches: Sequence[tuple[Matches, Int64]]) -> PutativeMatches:
    """Matches of a query (first) with map images (second), as matches with map points.

    Args:
        matches: with each of the retrieved images, in order, and the points that it offers.
    """
    sightings = []
    for hit_idx, (found, offered) in enumerate(matches):
        points = offered[found.indices[:, 1]]
        seen = points != NO_POINT
        hits = np.full(int(seen.sum()), hit_idx)
        sightings.append((found.indices[seen, 0], points[seen], hits, found.scores[seen]))
    columns = [np.concatenate(each) for each in zip(*sightings, strict=True)]
    return PutativeMatches(*columns) if columns else PutativeMatches(*np.zeros((4, 0)))


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
