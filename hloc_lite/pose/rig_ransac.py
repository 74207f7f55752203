"""Weighted LO-RANSAC for rigs.

It works as ``weighted_ransac``, with minimal samples from any of the cameras: samples with several
camera centres are solved by generalized P3P.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.batch_reprojection import BatchReprojection, RansacProblem
from hloc_lite.pose.gp3p import solve_gp3p
from hloc_lite.pose.local_optimization import optimize_pose
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.pose.sampling import SAMPLERS, Sampler
from hloc_lite.pose.screening import screening_rounds, total_msac_scores
from hloc_lite.types import Float64, Int64


@dataclass(frozen=True, eq=False)
class RigProblem(RansacProblem):
    """``RansacProblem`` with the correspondences of all cameras; rays are in the rig frame."""

    centers: Float64
    """(K, 3) camera centre of each, in the rig frame."""
    center_ids: Int64
    """(K,) equal where camera centres coincide."""


def rig_ransac(
    problem: RigProblem, config: PoseConfig, max_num_trials: int
) -> tuple[Float64, int] | None:
    """Find the pose with the highest weighted MSAC score; see ``weighted_ransac`` for the end.

    Returns:
        (12,) rig_from_world as in ``BatchReprojection``, and the number of trials; None if no
        sample gave a pose.
    """
    rng = np.random.default_rng(config.seed)
    sampler: Sampler = SAMPLERS[config.sampling](problem.weights, config, rng)
    single = problem.errors.astype(np.float32)
    single_weights = problem.score_weights.astype(np.float32)
    allowed_log_miss = float(np.log1p(-config.confidence))
    best: Float64 | None = None
    best_score, best_minimal, trials, batch = -np.inf, 0.0, 0, config.first_batch
    while trials < max_num_trials:
        batch = min(batch, max_num_trials - trials)
        poses = solve_samples(problem, sampler.draw(batch))
        poses = _screen(rng, poses, single, problem.weights, config)
        trials += batch
        scores = total_msac_scores(poses.astype(np.float32), single, single_weights)
        promising = np.flatnonzero(scores > best_minimal)
        promising = promising[np.argsort(-scores[promising], kind="stable")]
        best_minimal = float(scores.max(initial=best_minimal))
        for pose in poses[promising[: config.optimized_per_batch]]:
            optimized, msac = optimize_pose(problem, pose, config.optimization_steps)
            score = float(msac @ problem.score_weights)
            if best is None or score > best_score:
                best, best_score = optimized, score
        batch = min(2 * batch, config.max_batch)
        if best is not None:
            log_miss = sampler.log_miss(problem.errors.inlier_mask(best))
            if log_miss < allowed_log_miss and trials >= config.min_num_trials:
                break
            # no more samples than are still needed if the best pose is correct
            remaining = trials * (allowed_log_miss / min(log_miss, -1e-300) - 1)
            batch = int(np.clip(np.ceil(remaining), min(batch, config.first_batch), batch))
    return None if best is None else (best, trials)


def solve_samples(problem: RigProblem, sample: Int64) -> Float64:
    """(H, 12) poses rig_from_world of (B, 3) minimal samples.

    Samples whose rays share a centre are solved by P3P, which is faster; the others by generalized
    P3P.
    """
    ids = problem.center_ids[sample]
    is_central = (ids[:, 1:] == ids[:, :1]).all(axis=1)
    central, general = sample[is_central], sample[~is_central]
    rotations, translations, row = solve_p3p(problem.rays[central], problem.points3D[central])
    translations = translations + problem.centers[central[row, 0]]
    poses = [np.concatenate([rotations.reshape(-1, 9), translations], axis=1)]
    if len(general):
        rotations, translations, _ = solve_gp3p(
            problem.centers[general], problem.rays[general], problem.points3D[general]
        )
        poses.append(np.concatenate([rotations.reshape(-1, 9), translations], axis=1))
    return np.concatenate(poses)


def _screen(
    rng: np.random.Generator,
    poses: Float64,
    errors: BatchReprojection,
    weights: Float64,
    config: PoseConfig,
) -> Float64:
    """Most promising poses, as in ``HypothesisScreening``."""
    for size, num_kept in screening_rounds(len(poses), config):
        if len(poses) > num_kept and len(errors) > size:
            subset = errors.subset(_draw_subset(rng, weights, size))
            scores = total_msac_scores(poses.astype(np.float32), subset, np.ones(size, np.float32))
            poses = poses[np.argpartition(-scores, num_kept)[:num_kept]]
    return poses


def _draw_subset(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    half, rows = size // 2, np.arange(len(weights))
    by_weight = rng.choice(rows, half, replace=False, p=weights / weights.sum(), shuffle=False)
    others = rng.choice(np.delete(rows, by_weight), size - half, replace=False, shuffle=False)
    return np.concatenate([by_weight, others])
