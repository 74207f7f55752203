"""Poses from groups of retrieved images, and which of them counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.localize.answers import Attempt
from hloc_lite.localize.cues import Evidence, counts_of
from hloc_lite.localize.lifting import Landmarks, covisibility_clusters
from hloc_lite.localize.solving import PoseSolver
from hloc_lite.types import Float64, Int64, Matches


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
    evidence: Evidence, groups: Sequence[Int64], xyz: Float64, solver: PoseSolver
) -> list[Attempt]:
    """One for each group of retrieved images, the largest first.

    Args:
        xyz: (M, 3) of the map's points, world.
    """
    weighted = [evidence.weigh(group) for group in groups]
    weighted.sort(key=lambda each: len(each.weights), reverse=True)
    sums = [each.mean_weight * len(each.weights) for each in weighted]
    mean = sum(sums) / max(1, sum(len(each.weights) for each in weighted))
    attempts = []
    for weighting in weighted[: solver.config.localize.max_clusters]:
        correspondences = weighting.correspondences(evidence.keypoints, xyz, evidence.bound_factors)
        gains = solver.gains(correspondences, weighting.mean_weight / mean if mean > 0 else 1.0)
        pose = solver.solve(correspondences, evidence.depth_judge(correspondences))
        agreement = 0.5 if pose is None else evidence.depth_agreement(correspondences, pose)
        counts = counts_of(weighting)
        attempts.append(Attempt(correspondences, pose, counts, gains, agreement, weighting.cues))
    return attempts
