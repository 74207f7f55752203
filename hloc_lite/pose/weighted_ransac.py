"""Weighted LO-RANSAC for one camera.

Each correspondence has a weight and an inlier bound of its own. Minimal samples are solved in
batches, and their poses are screened on a few correspondences. The best are scored on all, by the
weighted MSAC score sum w max(0, 1 - e^2 / b^2) (Torr and Zisserman 2000), and optimized locally
(Chum, Matas and Kittler 2003; Lebeda, Matas and Chum 2012). Where depths are predicted, the score
is multiplied by the factor of a ``DepthScorer``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.batch_reprojection import RansacProblem
from hloc_lite.pose.local_optimization import optimize_pose, optimize_with_annealing
from hloc_lite.pose.sampling import SAMPLE_SIZE, SAMPLERS, Sampler
from hloc_lite.pose.screening import HypothesisScreening
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Bool, Float32, Float64

BATCH_GROWTH = 4
"""Factor by which batches grow until the best pose bounds their size: large ones cost less per
sample."""
MAX_DEPTH_FACTOR = 2.0
"""Largest factor of a ``DepthScorer``: poses below half the best score need not be asked about."""


@dataclass(frozen=True, eq=False)
class RansacResult:
    """Best pose found."""

    pose: Float64
    """(12,) rotation row by row, then translation."""
    score: float
    """Weighted MSAC score, roughly the number of inliers, times ``depth_factor``."""
    depth_factor: float
    """Factor of the ``DepthScorer``; 1 without one."""
    inliers: Bool
    """(K,) mask."""
    num_trials: int


def weighted_ransac(
    problem: RansacProblem,
    config: PoseConfig,
    max_num_trials: int,
    device: str | None = None,
    depth_scorer: DepthScorer | None = None,
) -> RansacResult | None:
    """Pose with the highest score; None if no sample gave one.

    The search ends when the probability of having missed every all-inlier sample falls below
    1 - ``config.confidence``, or after ``max_num_trials``.

    Args:
        device: see ``HypothesisScreening``.
        depth_scorer: scores the best screened poses and all optimized ones. A scorer that always
            returns 1 gives the same result as None.
    """
    rng = np.random.default_rng(config.seed)
    sampler: Sampler = SAMPLERS[config.sampling](problem.weights, config, rng)
    screening = HypothesisScreening(problem, config, rng, device)
    best: RansacResult | None = None
    smallest, largest = config.first_batch, config.max_batch
    if device is not None:
        smallest = largest = config.device_batch
    best_minimal, trials, batch = 0.0, 0, smallest
    while trials < max_num_trials:
        batch = min(batch, max_num_trials - trials)
        poses, screened = screening.promising_poses(sampler.draw(batch))
        trials += batch
        scores: Float32 | Float64 = screened
        if depth_scorer is not None:
            poses, scores = _score_depths(
                problem, depth_scorer, poses, screened, best_minimal, config
            )
        promising = np.flatnonzero(scores > best_minimal)
        promising = promising[np.argsort(-scores[promising], kind="stable")]
        best_minimal = float(scores.max(initial=best_minimal))
        remaining = _remaining_trials(sampler, best, trials, config)
        for pose in poses[promising[: config.optimized_per_batch]]:
            result = _optimize(problem, pose, trials, config, depth_scorer)
            if best is None or result.score > best.score:
                best = result
                remaining = _remaining_trials(sampler, best, trials, config)
            if remaining <= 0:
                break
        if remaining <= 0:
            break
        batch = int(min(max(remaining, smallest), BATCH_GROWTH * batch, largest))
    if best is None:
        return None
    pose, msac = optimize_with_annealing(problem, best.pose, config.optimization_steps)
    score = best.depth_factor * float(msac @ problem.score_weights)
    return RansacResult(pose, score, best.depth_factor, msac > 0, trials)


def _optimize(
    problem: RansacProblem,
    pose: Float64,
    trials: int,
    config: PoseConfig,
    depth_scorer: DepthScorer | None,
) -> RansacResult:
    """Locally optimized pose of a minimal sample."""
    pose, msac = optimize_pose(problem, pose, config.optimization_steps)
    inliers, factor = msac > 0, 1.0
    if depth_scorer is not None:
        factor = float(depth_scorer(_depths(problem, pose[None]), inliers[None])[0])
    score = factor * float(msac @ problem.score_weights)
    return RansacResult(pose, score, factor, inliers, trials)


def _remaining_trials(
    sampler: Sampler, best: RansacResult | None, trials: int, config: PoseConfig
) -> float:
    """Number of samples to draw, at the present rate, until the configured confidence is reached.

    A pose whose depth factor is below 1 loses to a pose with proportionally fewer inliers and a
    factor of 1. The search must not miss that one; its samples are rarer by the third power.
    """
    missed = 0.0
    if best is not None:
        missed = sampler.log_miss(best.inliers) * min(best.depth_factor, 1.0) ** SAMPLE_SIZE
    if missed == 0:
        return math.inf
    remaining = trials * (math.log1p(-config.confidence) / missed - 1)
    return max(math.ceil(remaining), config.min_num_trials - trials)


def _score_depths(
    problem: RansacProblem,
    depth_scorer: DepthScorer,
    poses: Float64,
    msac: Float32,
    min_score: float,
    config: PoseConfig,
) -> tuple[Float64, Float64]:
    """Poses that may score above ``min_score`` with their depth factor, and their scores.

    Args:
        poses: (S, 12), of which the first few by (S,) MSAC score are taken.
    """
    candidates = np.flatnonzero(MAX_DEPTH_FACTOR * msac > min_score)
    num_scored = max(config.depth_scored_per_batch, config.optimized_per_batch)
    candidates = candidates[np.argsort(-msac[candidates], kind="stable")][:num_scored]
    if len(candidates) == 0:
        return poses[candidates], np.zeros(0)
    inliers = problem.errors.msac_scores(poses[candidates]) > 0
    factors = depth_scorer(_depths(problem, poses[candidates]), inliers)
    return poses[candidates], msac[candidates] * factors


def _depths(problem: RansacProblem, poses: Float64) -> Float64:
    """(H, K) depths of the points along the optical axis under (H, 12) poses."""
    return np.asarray(poses[:, 6:9] @ problem.points3D.T + poses[:, 11:])
