"""Weighted LO-RANSAC for poses: sampled, scored, optimized and stopped by evidence.

Each correspondence has a weight and an inlier bound of its own. Minimal samples are drawn by weight
(mixed with uniform ones, so that wrong weights cost little), solved in batches, scored on a few
correspondences, and the best of them on all by the weighted MSAC gain sum w max(0, 1 - e^2/b^2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.local_optimization import optimize
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.pose.sampling import draw_uniform, draw_weighted
from hloc_lite.types import Bool, Float64


@dataclass(frozen=True)
class LoopConfig:
    confidence: float = 0.9999
    min_num_trials: int = 100
    max_num_trials: int = 100000
    weighted_trials: int = 5000
    weighted_share: float = 0.7
    late_weighted_share: float = 0.05
    first_batch: int = 64
    max_batch: int = 4096
    screen_size: int = 128
    screen_survivors: int = 32
    optimized_per_batch: int = 2
    lo_steps: int = 6
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Problem:
    """K usable correspondences."""

    rays: Float64
    """(K, 3) unit rays in the camera frame."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) >= 0."""
    errors: LinearErrors


@dataclass(frozen=True, eq=False)
class Found:
    pose: Float64
    """(12,) rotation row by row, then translation."""
    score: float
    """Weighted MSAC gain, weights of mean 1: about the number of inliers."""
    num_trials: int
    num_optimized: int = 0


def weighted_ransac(problem: Problem, config: LoopConfig) -> Found | None:
    """The pose of the highest score; None where no sample gave one."""
    count = len(problem.rays)
    if count < 4:
        return None
    rng = np.random.default_rng(config.seed)
    total = problem.weights.sum()
    uniform = not total > 0 or np.ptp(problem.weights) == 0 or (problem.weights > 0).sum() < 3
    probability = np.full(count, 1 / count) if uniform else problem.weights / total
    weights = probability * count
    cumulative = np.cumsum(probability)
    single = problem.errors.astype(np.float32)
    best: Found | None = None
    best_minimal = 0.0
    log_miss, trials, num_optimized = 0.0, 0, 0
    batch = config.first_batch
    drawn = [0, 0]
    while trials < config.max_num_trials:
        batch = min(batch, config.max_num_trials - trials)
        share = 0.0 if uniform else config.weighted_share if trials < config.weighted_trials else config.late_weighted_share
        by_weight = int(round(batch * share))
        samples = [draw_uniform(rng, batch - by_weight, count)]
        if by_weight:
            samples.append(draw_weighted(rng, by_weight, cumulative))
        sample = np.concatenate(samples)
        rotations, translations, _ = solve_p3p(problem.rays[sample], problem.points3D[sample])
        trials += batch
        drawn[0] += batch - by_weight
        drawn[1] += by_weight
        if len(rotations):
            poses = np.concatenate([rotations.reshape(-1, 9), translations], axis=1)
            kept = _screen(rng, poses, single, config)
            scores = problem.errors.gains(poses[kept]) @ weights
            order = np.argsort(-scores, kind="stable")[: config.optimized_per_batch]
            for position in order:
                if scores[position] <= best_minimal and best is not None:
                    break
                best_minimal = max(best_minimal, scores[position])
                pose, score = optimize(
                    problem.errors, problem.points3D, weights, poses[kept[position]], config.lo_steps
                )
                num_optimized += 1
                if best is None or score > best.score:
                    best = Found(pose, score, trials)
        if best is not None and trials >= config.min_num_trials:
            mask = problem.errors.inliers(best.pose)
            hit_uniform, hit_weighted = mask.mean() ** 3, probability[mask].sum() ** 3
            log_miss = drawn[0] * np.log1p(-min(hit_uniform, 1 - 1e-12)) + drawn[1] * np.log1p(
                -min(hit_weighted, 1 - 1e-12)
            )
            if log_miss < np.log1p(-config.confidence):
                break
        batch = min(2 * batch, config.max_batch)
    if best is None:
        return None
    return Found(best.pose, best.score, trials, num_optimized)


def _screen(
    rng: np.random.Generator, poses: Float64, errors: LinearErrors, config: LoopConfig
) -> np.ndarray:
    """Indices of the poses that a random few of the correspondences like best."""
    if len(poses) <= config.screen_survivors:
        return np.arange(len(poses))
    if len(errors) > config.screen_size:
        errors = errors.subset(rng.choice(len(errors), config.screen_size, replace=False))
    single = poses.astype(np.float32)
    liked = np.concatenate(
        [errors.gains(single[i : i + 512]).sum(axis=1) for i in range(0, len(single), 512)]
    )
    best = np.argpartition(-liked, config.screen_survivors)[: config.screen_survivors]
    return best[liked[best] > 0] if (liked[best] > 0).any() else best[:1]
