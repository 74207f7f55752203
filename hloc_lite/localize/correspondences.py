"""From matches with map images to putative matches with 3D points, and to clusters of images."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.localize.query import MapMatches
from hloc_lite.protocols import Lifter
from hloc_lite.scene import covisibility_clusters
from hloc_lite.types import NO_POINT, Int64, PutativeMatches


def lift(map_matches: MapMatches, lifter: Lifter) -> PutativeMatches:
    """Lift matches with the images of a map to 3D points; those without a point are left out."""
    columns: list[tuple[np.ndarray, ...]] = []
    for hit_idx, each in enumerate(map_matches.by_image.values()):
        indices, scores = each.matches.indices, each.matches.scores
        points = each.point3D_idxs[indices[:, 1]]
        kept = points != NO_POINT
        hits = np.full(int(kept.sum()), hit_idx)
        columns.append((indices[kept, 0], points[kept], hits, scores[kept]))
    if not columns:
        none = np.zeros(0, np.int64)
        return PutativeMatches(none, none, none, np.zeros(0, np.float32), np.zeros((0, 3)))
    keypoints, points, hits, scores = (np.concatenate(e) for e in zip(*columns, strict=True))
    return PutativeMatches(keypoints, points, hits, scores, lifter.xyz_of(points))


def cluster_images(map_matches: MapMatches, config: LocalizeConfig) -> list[Int64]:
    """Cluster the matched images by covisibility: each cluster may show a location of its own.

    Returns:
        (C,) indices into ``map_matches.hits.names`` for each cluster.
    """
    names = list(map_matches.by_image)
    if not config.covisibility_clustering:
        return [np.arange(len(names))]
    row = {name: index for index, name in enumerate(names)}
    points = {name: each.point3D_idxs for name, each in map_matches.by_image.items()}
    return [np.array([row[n] for n in cluster]) for cluster in covisibility_clusters(points)]
