"""Weighted LO-RANSAC for poses: sampled, scored, optimized and stopped by evidence.

Each correspondence has a weight and an inlier bound of its own. Minimal samples are solved in
batches, their poses screened on a few correspondences, and the best of these scored on all by the
weighted MSAC gain sum w max(0, 1 - e^2 / b^2) (Torr and Zisserman 2000) and optimized locally
(Chum, Matas and Kittler 2003; Lebeda, Matas and Chum 2012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.local_optimization import optimize
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.pose.sampling import MixedSampler, ProsacSampler, Sampler
from hloc_lite.types import Float32, Float64, Int64

SAMPLERS: Mapping[str, type[MixedSampler] | type[ProsacSampler]] = {
    "mixed": MixedSampler,
    "prosac": ProsacSampler,
}
SECOND_LOOKS = 16
"""Poses looked at twice, for each that is then scored on all: at 2 % inliers three quarters of the
good ones meet an inlier in the first look, and few of the bad ones do."""
SECOND_SIZE = 4
"""Correspondences of the second look, for each of the first."""
SCREEN_BLOCK = 512
"""Poses screened at once: their errors then stay in the processor's cache (2 times faster)."""


@dataclass(frozen=True, eq=False)
class Problem:
    """K correspondences to find a pose for."""

    rays: Float64
    """(K, 3) unit rays in the camera frame."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) > 0, in proportion to which samples are drawn."""
    votes: Float64
    """(K,) > 0, of mean 1: what each adds to the score of a pose that it agrees with."""
    errors: LinearErrors


@dataclass(frozen=True, eq=False)
class Consensus:
    """The best pose that was met."""

    pose: Float64
    """(12,) rotation row by row, then translation."""
    score: float
    """Weighted MSAC gain: about the number of inliers."""
    num_trials: int


def weighted_ransac(problem: Problem, config: PoseConfig, max_num_trials: int) -> Consensus | None:
    """The pose of the highest score; None where no sample gave one.

    It ends when the probability of having missed a sample of inliers alone falls below
    1 - ``config.confidence``, or after ``max_num_trials``.
    """
    rng = np.random.default_rng(config.seed)
    sampler: Sampler = SAMPLERS[config.sampling](problem.weights, config, rng)
    single = problem.errors.astype(np.float32)
    best: Consensus | None = None
    best_minimal, trials, batch = 0.0, 0, config.first_batch
    while trials < max_num_trials:
        batch = min(batch, max_num_trials - trials)
        poses = _hypotheses(problem, sampler.draw(batch))
        poses = _screen(rng, poses, single, problem.weights, config)
        trials += batch
        scores = problem.errors.gains(poses) @ problem.votes
        promising = np.flatnonzero(scores > best_minimal)
        promising = promising[np.argsort(-scores[promising], kind="stable")]
        for pose in poses[promising[: config.optimized_per_batch]]:
            optimized, score = optimize(
                problem.errors, problem.points3D, problem.votes, pose, config.optimization_steps
            )
            if best is None or score > best.score:
                best = Consensus(optimized, score, trials)
        best_minimal = float(scores.max(initial=best_minimal))
        if best is not None and trials >= config.min_num_trials:
            missed = sampler.log_miss(problem.errors.inliers(best.pose))
            if missed < np.log1p(-config.confidence):
                break
        batch = min(2 * batch, config.max_batch)
    return None if best is None else replace(best, num_trials=trials)


def _hypotheses(problem: Problem, sample: Int64) -> Float64:
    """(H, 12) poses of (B, 3) minimal samples."""
    rotations, translations, _ = solve_p3p(problem.rays[sample], problem.points3D[sample])
    return np.concatenate([rotations.reshape(-1, 9), translations], axis=1)


def _screen(
    rng: np.random.Generator,
    poses: Float64,
    errors: LinearErrors,
    weights: Float64,
    config: PoseConfig,
) -> Float64:
    """The poses that a few of the correspondences agree with most, and of these the ones that a few
    more agree with most."""
    rounds = (
        (config.screen_size, SECOND_LOOKS * config.screen_survivors),
        (SECOND_SIZE * config.screen_size, config.screen_survivors),
    )
    for size, survivors in rounds:
        if len(poses) > survivors:
            some = errors if len(errors) <= size else errors.subset(_some(rng, weights, size))
            agreement = _agreement(poses.astype(np.float32), some)
            poses = poses[np.argpartition(-agreement, survivors)[:survivors]]
    return poses


def _some(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    # the largest of log(u) / w are drawn by weight (Efraimidis and Spirakis 2006)
    keys = -np.log(rng.random(len(weights)))
    half = size // 2
    by_weight = np.argpartition(keys / weights, half)[:half]
    keys[by_weight] = np.inf
    return np.concatenate([by_weight, np.argpartition(keys, size - half)[: size - half]])


def _agreement(poses: Float32, errors: LinearErrors) -> Float32:
    blocks = [poses[i : i + SCREEN_BLOCK] for i in range(0, len(poses), SCREEN_BLOCK)]
    return np.concatenate([errors.gains(block).sum(axis=1) for block in blocks])
