"""Poses from groups of retrieved images, and which of them counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.localize.answers import Attempt
from hloc_lite.localize.cues import Evidence, counts_of
from hloc_lite.localize.lifting import Landmarks, covisibility_clusters
from hloc_lite.types import Correspondences, Float64, Int64, Matches, PoseEstimate

Solve = Callable[[Correspondences], PoseEstimate | None]


def groups_of(
    matched: Mapping[str, tuple[Matches, Landmarks]], config: LocalizeConfig
) -> list[Int64]:
    """Which retrieved images may show one place, as indices among them."""
    if not config.covisibility_clustering:
        return [np.arange(len(matched))]
    position = {name: index for index, name in enumerate(matched)}
    points = {name: landmarks.point3D_idxs for name, (_, landmarks) in matched.items()}
    clusters = covisibility_clusters(points)
    return [np.array([position[name] for name in cluster]) for cluster in clusters]


def attempts_of(
    evidence: Evidence,
    groups: Sequence[Int64],
    xyz: Float64,
    solve: Solve,
    config: LocalizeConfig,
) -> list[Attempt]:
    """One for each group of retrieved images, the largest first.

    Args:
        xyz: (M, 3) of the map's points, world.
    """
    weighted = [evidence.weigh(group) for group in groups]
    weighted.sort(key=lambda each: len(each.weights), reverse=True)
    attempts = []
    for weighting in weighted[: config.max_clusters]:
        correspondences = weighting.correspondences(evidence.keypoints, xyz)
        pose = solve(correspondences)
        agreement = 0.5 if pose is None else evidence.depth_agreement(correspondences, pose)
        counts = counts_of(weighting)
        attempts.append(Attempt(correspondences, pose, counts, agreement, weighting.cues))
    return attempts
