"""Pose hypotheses from batches of minimal samples, of which only the most promising are kept.

Hypotheses are scored on few correspondences first, and the best of them on more, as in preemptive
RANSAC (Nister 2003).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.batch_reprojection import BatchReprojection, RansacProblem
from hloc_lite.pose.batched_linalg import Array, array_namespace
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.types import Float32, Float64, Int64

REDUCTION = 8
"""One of so many poses passes the first round: at 2 % inliers three quarters of the good poses, and
few of the bad ones, have an inlier among its correspondences."""
SECOND_ROUND_FACTOR = 4
"""Number of correspondences of the second round over that of the first."""
BLOCK = 65536
"""Errors computed at once: they fit the processor's cache, which makes it twice as fast."""
DEVICE_BLOCK = 2**24
"""Same on an accelerator: 200 MB of its memory."""


class HypothesisScreening:
    """Solves samples and screens their poses.

    Screening runs in single precision, whose rounding errors are far below the inlier bounds.

    Args:
        device: torch device for the computation; None: NumPy. Devices without double precision
            (mps) also solve in single precision, which is enough before local optimization.
    """

    def __init__(
        self,
        problem: RansacProblem,
        config: PoseConfig,
        rng: np.random.Generator,
        device: str | None = None,
    ) -> None:
        self._weights, self._config, self._rng, self._device = problem.weights, config, rng, device
        self._rays = self._to_device(problem.rays)
        self._points3D = self._to_device(problem.points3D)
        self._errors = BatchReprojection(self._to_device(problem.errors.forms.astype(np.float32)))
        self._score_weights = self._to_device(problem.score_weights.astype(np.float32))
        self._block = BLOCK if device is None else DEVICE_BLOCK

    def promising_poses(self, sample: Int64) -> tuple[Float64, Float32]:
        """(S, 12) most promising poses of (B, 3) samples, and their (S,) weighted MSAC scores."""
        chosen = self._to_device(sample)
        rotations, translations, _ = solve_p3p(self._rays[chosen], self._points3D[chosen])
        xp = array_namespace(rotations)
        poses = xp.concatenate([rotations.reshape(-1, 9), translations], 1)
        single = xp.asarray(poses, dtype=xp.float32)
        for size, num_kept in screening_rounds(len(poses), self._config):
            if len(poses) > num_kept and len(self._errors) > size:
                subset = self._to_device(_draw_subset(self._rng, self._weights, size))
                ones = self._score_weights[:size] * 0 + 1
                errors = self._errors.subset(subset)
                scores = total_msac_scores(single, errors, ones, self._block)
                best = _largest(scores, num_kept)
                poses, single = poses[best], single[best]
        scores = total_msac_scores(single, self._errors, self._score_weights, self._block)
        return self._to_numpy(poses).astype(np.float64), self._to_numpy(scores)

    def _to_device(self, array: Any) -> Array:
        if self._device is None:
            return array
        import torch

        double = array.dtype == np.float64 and not self._device.startswith("mps")
        dtype = {"i": torch.int64, "f": torch.float64 if double else torch.float32}
        return torch.tensor(array, dtype=dtype[array.dtype.kind], device=self._device)

    def _to_numpy(self, array: Array) -> Any:
        return array if self._device is None else array.cpu().numpy()


def screening_rounds(num_poses: int, config: PoseConfig) -> tuple[tuple[int, int], ...]:
    """(number of correspondences, number of poses kept) of each round."""
    num_survivors = config.screening_survivors
    return (
        (config.screening_correspondences, max(num_poses // REDUCTION, num_survivors)),
        (config.screening_correspondences * SECOND_ROUND_FACTOR, num_survivors),
    )


def total_msac_scores(
    poses: Array, errors: BatchReprojection, score_weights: Array, block: int = BLOCK
) -> Array:
    """(H,) weighted MSAC scores of (H, 12) poses, with ``block`` errors computed at once."""
    size = max(1, block // len(errors))
    starts = range(0, max(1, len(poses)), size)
    return array_namespace(poses).concatenate(
        [errors.msac_scores(poses[start : start + size]) @ score_weights for start in starts]
    )


def _largest(values: Array, count: int) -> Array:
    """(count,) indices of the largest values, in any order."""
    if isinstance(values, np.ndarray):
        return np.argpartition(-values, count)[:count]
    return values.topk(count).indices


def _draw_subset(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    # the largest values of log(u) / w are a sample by weight (Efraimidis and Spirakis 2006)
    keys = -np.log(rng.random(len(weights)))
    half = size // 2
    by_weight = np.argpartition(keys / weights, half)[:half]
    keys[by_weight] = np.inf
    return np.concatenate([by_weight, np.argpartition(keys, size - half)[: size - half]])
