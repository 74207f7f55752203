"""Weighted LO-RANSAC for the pose of a rig: as ``weighted_ransac``, but its samples may be of any
cameras, and those of several centres are solved by the P3P of a rig."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.local_optimization import optimize
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.pose.rig_errors import RigErrors
from hloc_lite.pose.rig_p3p import solve_rig_p3p
from hloc_lite.pose.sampling import Sampler
from hloc_lite.pose.weighted_ransac import SAMPLERS
from hloc_lite.types import Float32, Float64, Int64

KEPT = 8
"""Poses of which one comes through the first look at them."""
SECOND_SIZE = 4
"""Correspondences of the second look, for each of the first."""
BLOCK = 65536
"""Errors computed at once: they then stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class RigProblem:
    """K correspondences of all cameras of a rig, to find its pose for."""

    centers: Float64
    """(K, 3) camera centre of each, in the rig frame."""
    rays: Float64
    """(K, 3) unit rays in the rig frame."""
    stations: Int64
    """(K,) equal where camera centres coincide."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) > 0, in proportion to which samples are drawn."""
    votes: Float64
    """(K,) > 0, of mean 1: what each adds to the score of a pose that it agrees with."""
    errors: RigErrors


@dataclass(frozen=True, eq=False)
class RigConsensus:
    """The best pose that was met."""

    pose: Float64
    """(12,) rig_from_world: rotation row by row, then translation."""
    score: float
    """Weighted MSAC gain: about the number of inliers."""
    num_trials: int


def rig_ransac(problem: RigProblem, config: PoseConfig, max_num_trials: int) -> RigConsensus | None:
    """The pose rig_from_world of the highest weighted MSAC gain; None where no sample gave one.

    It ends as ``weighted_ransac`` does.
    """
    rng = np.random.default_rng(config.seed)
    sampler: Sampler = SAMPLERS[config.sampling](problem.weights, config, rng)
    single, votes = problem.errors.astype(np.float32), problem.votes.astype(np.float32)
    allowed = float(np.log1p(-config.confidence))
    best: RigConsensus | None = None
    best_minimal, trials, batch = 0.0, 0, config.first_batch
    while trials < max_num_trials:
        batch = min(batch, max_num_trials - trials)
        poses = rig_poses(problem, sampler.draw(batch))
        poses = _screened(rng, poses, single, problem.weights, config)
        trials += batch
        scores = _scores(poses.astype(np.float32), single, votes)
        promising = np.flatnonzero(scores > best_minimal)
        promising = promising[np.argsort(-scores[promising], kind="stable")]
        best_minimal = float(scores.max(initial=best_minimal))
        for pose in poses[promising[: config.optimized_per_batch]]:
            optimized, agreement = optimize(
                problem.errors, problem.points3D, problem.votes, pose, config.optimization_steps
            )
            score = float(agreement @ problem.votes)
            if best is None or score > best.score:
                best = RigConsensus(optimized, score, trials)
        batch = min(2 * batch, config.max_batch)
        if best is not None:
            missed = sampler.log_miss(problem.errors.inliers(best.pose))
            if missed < allowed and trials >= config.min_num_trials:
                break
            # no more than are still needed, if the best pose is the right one
            needed = trials * (allowed / min(missed, -1e-300) - 1)
            batch = int(np.clip(np.ceil(needed), min(batch, config.first_batch), batch))
    return None if best is None else replace(best, num_trials=trials)


def rig_poses(problem: RigProblem, sample: Int64) -> Float64:
    """(H, 12) poses rig_from_world of (B, 3) minimal samples: the central solver where all three
    rays have one centre, which is faster there, else the general one."""
    stations = problem.stations[sample]
    central = (stations[:, 1:] == stations[:, :1]).all(axis=1)
    one, several = sample[central], sample[~central]
    rotations, translations, row = solve_p3p(problem.rays[one], problem.points3D[one])
    translations = translations + problem.centers[one[row, 0]]
    found = [np.concatenate([rotations.reshape(-1, 9), translations], axis=1)]
    if len(several):
        rotations, translations, _ = solve_rig_p3p(
            problem.centers[several], problem.rays[several], problem.points3D[several]
        )
        found.append(np.concatenate([rotations.reshape(-1, 9), translations], axis=1))
    return np.concatenate(found)


def _screened(
    rng: np.random.Generator,
    poses: Float64,
    errors: RigErrors,
    weights: Float64,
    config: PoseConfig,
) -> Float64:
    """The poses that a few of the correspondences agree with most, and of these the ones that a few
    more agree with most."""
    fewest = config.screening_survivors
    looks = (
        (config.screening_correspondences, max(len(poses) // KEPT, fewest)),
        (SECOND_SIZE * config.screening_correspondences, fewest),
    )
    for size, kept in looks:
        if len(poses) > kept and len(errors) > size:
            some = errors.subset(_some(rng, weights, size))
            agreement = _scores(poses.astype(np.float32), some, np.ones(size, np.float32))
            poses = poses[np.argpartition(-agreement, kept)[:kept]]
    return poses


def _some(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    half, everyone = size // 2, np.arange(len(weights))
    by_weight = rng.choice(everyone, half, replace=False, p=weights / weights.sum(), shuffle=False)
    others = rng.choice(np.delete(everyone, by_weight), size - half, replace=False, shuffle=False)
    return np.concatenate([by_weight, others])


def _scores(poses: Float32, errors: RigErrors, votes: Float32) -> Float32:
    size = max(1, BLOCK // len(errors))
    blocks = [poses[i : i + size] for i in range(0, len(poses), size)]
    gains = [errors.gains(block) @ votes for block in blocks]
    return np.concatenate([votes[:0], *gains]).astype(np.float32)
