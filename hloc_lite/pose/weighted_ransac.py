"""Weighted LO-RANSAC for poses: sampled, scored, optimized and stopped by evidence.

Each correspondence has a weight and an inlier bound of its own. Minimal samples are solved in
batches, their poses screened on a few correspondences, and the best of these scored on all by the
weighted MSAC gain sum w max(0, 1 - e^2 / b^2) (Torr and Zisserman 2000) and optimized locally
(Chum, Matas and Kittler 2003; Lebeda, Matas and Chum 2012). Where the depths of the points are
predicted, the score is multiplied by what they say of the pose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.local_optimization import optimize, settle
from hloc_lite.pose.sampling import SAMPLE_SIZE, MixedSampler, ProsacSampler, Sampler
from hloc_lite.pose.screening import Problem, Screening
from hloc_lite.registry import DepthScorer
from hloc_lite.types import Bool, Float32, Float64

SAMPLERS: Mapping[str, type[MixedSampler] | type[ProsacSampler]] = {
    "mixed": MixedSampler,
    "prosac": ProsacSampler,
}
GROWTH = 4
"""Of batches, while the best pose is not known to need fewer samples: large ones cost less each."""
MAX_FACTOR = 2.0
"""Of ``DepthScorer``: no pose of less than half the best score has to be asked about."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """The best pose that was met."""

    pose: Float64
    """(12,) rotation row by row, then translation."""
    score: float
    """Weighted MSAC gain, about the number of inliers, times ``factor``."""
    factor: float
    """What the depth_scorer says of it; 1 without one."""
    inliers: Bool
    """(K,)"""
    num_trials: int


def weighted_ransac(
    problem: Problem,
    config: PoseConfig,
    max_num_trials: int,
    device: str | None = None,
    depth_scorer: DepthScorer | None = None,
) -> Consensus | None:
    """The pose of the highest score; None where no sample gave one. ``device`` as of ``Screening``.

    It ends when the probability of having missed a sample of inliers alone falls below
    1 - ``config.confidence``, or after ``max_num_trials``.

    Args:
        depth_scorer: of the best poses that came through the screening, and of those optimized; None, or
            one that knows nothing, leaves the result as it is.
    """
    rng = np.random.default_rng(config.seed)
    sampler: Sampler = SAMPLERS[config.sampling](problem.weights, config, rng)
    screening = Screening(problem, config, rng, device)
    best: Consensus | None = None
    smallest, largest = config.first_batch, config.max_batch
    if device is not None:
        smallest = largest = config.device_batch
    best_minimal, trials, batch = 0.0, 0, smallest
    while trials < max_num_trials:
        batch = min(batch, max_num_trials - trials)
        poses, gains = screening.survivors(sampler.draw(batch))
        trials += batch
        scores: Float32 | Float64 = gains
        if depth_scorer is not None:
            poses, scores = _judged(problem, depth_scorer, poses, gains, best_minimal, config)
        promising = np.flatnonzero(scores > best_minimal)
        promising = promising[np.argsort(-scores[promising], kind="stable")]
        best_minimal = float(scores.max(initial=best_minimal))
        needed = _needed(sampler, best, trials, config)
        for pose in poses[promising[: config.optimized_per_batch]]:
            optimized, agreement = optimize(
                problem.errors, problem.points3D, problem.votes, pose, config.optimization_steps
            )
            score, inliers = float(agreement @ problem.votes), agreement > 0
            factor = 1.0
            if depth_scorer is not None:
                factor = float(depth_scorer(_depths(problem, optimized[None]), inliers[None])[0])
            if best is None or factor * score > best.score:
                best = Consensus(optimized, factor * score, factor, inliers, trials)
                needed = _needed(sampler, best, trials, config)
            if needed <= 0:
                break
        if needed <= 0:
            break
        batch = int(min(max(needed, smallest), GROWTH * batch, largest))
    if best is None:
        return None
    pose, agreement = settle(
        problem.errors, problem.points3D, problem.votes, best.pose, config.optimization_steps
    )
    score = best.factor * float(agreement @ problem.votes)
    return Consensus(pose, score, best.factor, agreement > 0, trials)


def _needed(sampler: Sampler, best: Consensus | None, trials: int, config: PoseConfig) -> float:
    """Samples still to be drawn, at the present rate, until the chance of having missed a sample of
    inliers is as small as configured.

    A pose that is spoken against loses to one of less inliers in proportion, of which nothing is
    known: that must not be missed, and a sample of it is rarer by the third power.
    """
    missed = 0.0
    if best is not None:
        missed = sampler.log_miss(best.inliers) * min(best.factor, 1.0) ** SAMPLE_SIZE
    if missed == 0:
        return math.inf
    needed = trials * (math.log1p(-config.confidence) / missed - 1)
    return max(math.ceil(needed), config.min_num_trials - trials)


def _judged(
    problem: Problem,
    depth_scorer: DepthScorer,
    poses: Float64,
    gains: Float32,
    least: float,
    config: PoseConfig,
) -> tuple[Float64, Float64]:
    """Those of the (S, 12) poses that may score above ``least``, the first few by (S,) gain, and
    their scores."""
    able = np.flatnonzero(MAX_FACTOR * gains > least)
    most = max(config.depth_scored_per_batch, config.optimized_per_batch)
    able = able[np.argsort(-gains[able], kind="stable")][:most]
    if len(able) == 0:
        return poses[able], np.zeros(0)
    agreeing = problem.errors.gains(poses[able]) > 0
    factors = depth_scorer(_depths(problem, poses[able]), agreeing)
    return poses[able], gains[able] * factors


def _depths(problem: Problem, poses: Float64) -> Float64:
    """(H, K) of the points along the optical axis, under (H, 12) poses."""
    return np.asarray(poses[:, 6:9] @ problem.points3D.T + poses[:, 11:])
