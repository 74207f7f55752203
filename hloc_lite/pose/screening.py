"""Poses of many minimal samples at once, of which only the most promising are handed on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.types import Float32, Float64, Int64

KEPT = 8
"""Poses of which one comes through the first look: at 2 % inliers three quarters of the good ones
meet an inlier in it, and few of the bad ones do."""
SECOND_SIZE = 4
"""Correspondences of the second look, for each of the first."""
BLOCK = 65536
"""Errors computed at once: they then stay in the processor's cache (2 times faster)."""


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


class Screening:
    """Solves samples of one problem and screens their poses: in single precision, whose errors are
    far below the bounds of inliers."""

    def __init__(self, problem: Problem, config: PoseConfig, rng: np.random.Generator) -> None:
        self._problem, self._config, self._rng = problem, config, rng
        self._errors = problem.errors.astype(np.float32)
        self._votes = problem.votes.astype(np.float32)

    def survivors(self, sample: Int64) -> tuple[Float64, Float32]:
        """(S, 12) poses of the (B, 3) samples, and their (S,) weighted MSAC gains.

        They are those that a few of the correspondences agree with most, and of these the ones that
        a few more agree with most.
        """
        problem, config = self._problem, self._config
        rotations, translations, _ = solve_p3p(problem.rays[sample], problem.points3D[sample])
        poses = np.concatenate([rotations.reshape(-1, 9), translations], axis=1)
        single = poses.astype(np.float32)
        fewest = config.screen_survivors
        looks = (
            (config.screen_size, max(len(poses) // KEPT, fewest)),
            (config.screen_size * SECOND_SIZE, fewest),
        )
        for size, kept in looks:
            if len(poses) > kept and len(self._errors) > size:
                some = _some(self._rng, problem.weights, size)
                gains = self._gains(single, self._errors.subset(some), np.ones(size, np.float32))
                best = np.argpartition(-gains, kept)[:kept]
                poses, single = poses[best], single[best]
        return poses, self._gains(single, self._errors, self._votes)

    def _gains(self, poses: Float32, errors: LinearErrors, votes: Float32) -> Float32:
        size = max(1, BLOCK // len(errors))
        scores = np.empty(len(poses), np.float32)
        for i in range(0, len(poses), size):
            scores[i : i + size] = errors.gains(poses[i : i + size]) @ votes
        return scores


def _some(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    # the largest of log(u) / w are drawn by weight (Efraimidis and Spirakis 2006)
    keys = -np.log(rng.random(len(weights)))
    half = size // 2
    by_weight = np.argpartition(keys / weights, half)[:half]
    keys[by_weight] = np.inf
    return np.concatenate([by_weight, np.argpartition(keys, size - half)[: size - half]])
