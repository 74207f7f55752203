"""Poses from groups of retrieved images, and which of them counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.consistency.cue_combination import MatchWeights
from hloc_lite.localize.answers import Attempt
from hloc_lite.localize.cues import Evidence, counts_of
from hloc_lite.localize.lifting import covisibility_clusters
from hloc_lite.localize.solving import PoseSolver
from hloc_lite.types import Float64, Int64, Matches


def groups_of(matched: Mapping[str, tuple[Matches, Int64]], config: LocalizeConfig) -> list[Int64]:
    """Which retrieved images may show one place, as indices among them."""
    if not config.covisibility_clustering:
        return [np.arange(len(matched))]
    position = {name: index for index, name in enumerate(matched)}
    points = {name: offered for name, (_, offered) in matched.items()}
    clusters = covisibility_clusters(points)
    return [np.array([position[name] for name in cluster]) for cluster in clusters]


def attempts_of(
    evidence_of_groups: Sequence[tuple[Evidence, Sequence[Int64]]],
    xyz: Float64,
    solver: PoseSolver,
    bound_factors: Float64 | None = None,
) -> list[Attempt]:
    """One for each layer and group of retrieved images, the largest first.

    Args:
        evidence_of_groups: of each layer, with its groups.
        xyz: (M, 3) of the points of all layers, world.
        bound_factors: (M,) of the inlier bound at each of them; None: all alike.
    """
    weighted = [
        [(layer, evidence, evidence.weigh(group)) for group in groups]
        for layer, (evidence, groups) in enumerate(evidence_of_groups)
    ]
    sizes = [(len(each.weights), each.mean_weight) for some in weighted for *_, each in some]
    mean = sum(size * weight for size, weight in sizes) / max(1, sum(size for size, _ in sizes))
    most = solver.config.localize.max_clusters
    tried = [each for some in weighted for each in sorted(some, key=_size)[:most]]
    attempts = []
    for layer, evidence, weighting in sorted(tried, key=_size):
        correspondences = weighting.correspondences(evidence.keypoints, xyz, bound_factors)
        gains = solver.gains(correspondences, weighting.mean_weight / mean if mean > 0 else 1.0)
        pose = solver.solve(correspondences, evidence.depth_scorer(correspondences))
        agreement = 0.5 if pose is None else evidence.depth_agreement(correspondences, pose)
        counts = counts_of(weighting)
        attempts.append(
            Attempt(correspondences, pose, counts, gains, agreement, weighting.cues, layer)
        )
    return attempts


def _size(weighted: tuple[int, Evidence, MatchWeights]) -> int:
    """The largest first; of equal ones the first."""
    return -len(weighted[2].weights)
