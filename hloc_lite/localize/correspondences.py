"""From matches with map images to putative matches with 3D points, and to clusters of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.localize.query import MapMatches
from hloc_lite.protocols import Lifter
from hloc_lite.scene import covisibility_clusters
from hloc_lite.types import NO_POINT, Float32, Float64, Int64, PutativeMatches, freeze_field


@dataclass(frozen=True, eq=False)
class NearestMatches:
    """R different matches of keypoints with landmarks, by nearest neighbours alone."""

    points2D: Float64
    """(R, 2) keypoints, pixels."""
    point3D_idxs: Int64
    """(R,) landmarks, in the joint numbering of all maps."""
    xyz: Float64
    """(R, 3) their world coordinates, map units."""
    scores: Float32
    """(R,) matcher scores in [0, 1]."""

    def __post_init__(self) -> None:
        freeze_field(self, "points2D", np.float64, None, 2)
        count = len(self.points2D)
        freeze_field(self, "point3D_idxs", np.int64, count)
        freeze_field(self, "xyz", np.float64, count, 3)
        freeze_field(self, "scores", np.float32, count)


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
    clusters = covisibility_clusters(points, map_matches.overlaps)
    return [np.array([row[name] for name in cluster]) for cluster in clusters]


def nearest_matches(
    found: Sequence[MapMatches], lifters: Sequence[Lifter], first_points: Int64
) -> NearestMatches:
    """Lift the nearest-neighbour matches with each map to its points, each match once.

    Args:
        found: matches with each map; those of a learned matcher are left out.
        first_points: offset of each map's points in the joint numbering.
    """
    none = np.zeros(0, np.int64)
    parts = [(np.zeros((0, 2)), none, np.zeros((0, 3)), np.zeros(0, np.float32))]
    for of_map, lifter, start in zip(found, lifters, first_points, strict=False):
        if of_map.is_learned:
            continue
        pairs = lift(of_map, lifter)
        keys = pairs.keypoint_idxs * max(1, lifter.num_points) + pairs.point3D_idxs
        _, rows = np.unique(keys, return_index=True)  # one for each image that observes it
        keypoints = of_map.features.keypoints[pairs.keypoint_idxs[rows]]
        points = pairs.point3D_idxs[rows]
        parts.append((keypoints.astype(np.float64), points + start, pairs.xyz[rows],
                      pairs.scores[rows]))  # fmt: skip
    return NearestMatches(*(np.concatenate(each) for each in zip(*parts, strict=True)))
