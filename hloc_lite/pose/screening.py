"""Poses of many minimal samples at once, of which only the most promising are handed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.batch_algebra import Array, namespace
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
DEVICE_BLOCK = 2**24
"""On an accelerator: 200 MB of its memory."""


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
    far below the bounds of inliers.

    Args:
        device: torch's name of where to do so; None: in NumPy. Devices without double precision
            (mps) solve in single too, which is enough for what is then optimized in double.
    """

    def __init__(
        self,
        problem: Problem,
        config: PoseConfig,
        rng: np.random.Generator,
        device: str | None = None,
    ) -> None:
        self._weights, self._config, self._rng, self._device = problem.weights, config, rng, device
        self._rays, self._points3D = self._there(problem.rays), self._there(problem.points3D)
        self._errors = LinearErrors(self._there(problem.errors.forms.astype(np.float32)))
        self._votes = self._there(problem.votes.astype(np.float32))
        self._block = BLOCK if device is None else DEVICE_BLOCK

    def survivors(self, sample: Int64) -> tuple[Float64, Float32]:
        """(S, 12) poses of the (B, 3) samples, and their (S,) weighted MSAC gains.

        They are those that a few of the correspondences agree with most, and of these the ones that
        a few more agree with most.
        """
        chosen = self._there(sample)
        rotations, translations, _ = solve_p3p(self._rays[chosen], self._points3D[chosen])
        xp = namespace(rotations)
        poses = xp.concatenate([rotations.reshape(-1, 9), translations], 1)
        single = xp.asarray(poses, dtype=xp.float32)
        fewest = self._config.screening_survivors
        looks = (
            (self._config.screening_correspondences, max(len(poses) // KEPT, fewest)),
            (self._config.screening_correspondences * SECOND_SIZE, fewest),
        )
        for size, kept in looks:
            if len(poses) > kept and len(self._errors) > size:
                some = self._there(_some(self._rng, self._weights, size))
                gains = self._gains(single, self._errors.subset(some), self._votes[:size] * 0 + 1)
                best = _best(gains, kept)
                poses, single = poses[best], single[best]
        scores = self._gains(single, self._errors, self._votes)
        return self._back(poses).astype(np.float64), self._back(scores)

    def _gains(self, poses: Array, errors: LinearErrors, votes: Array) -> Array:
        """(H,) sums over all correspondences."""
        size = max(1, self._block // len(errors))
        starts = range(0, max(1, len(poses)), size)
        return namespace(poses).concatenate(
            [errors.gains(poses[start : start + size]) @ votes for start in starts]
        )

    def _there(self, array: Any) -> Array:
        """The array on the device."""
        if self._device is None:
            return array
        import torch

        double = array.dtype == np.float64 and not self._device.startswith("mps")
        dtype = {"i": torch.int64, "f": torch.float64 if double else torch.float32}
        return torch.tensor(array, dtype=dtype[array.dtype.kind], device=self._device)

    def _back(self, array: Array) -> Any:
        return array if self._device is None else array.cpu().numpy()


def _best(values: Array, count: int) -> Array:
    """(count,) indices of the largest, in any order."""
    if isinstance(values, np.ndarray):
        return np.argpartition(-values, count)[:count]
    return values.topk(count).indices


def _some(rng: np.random.Generator, weights: Float64, size: int) -> Int64:
    """(size,) distinct correspondences, half of them drawn by weight, the others uniformly."""
    # the largest of log(u) / w are drawn by weight (Efraimidis and Spirakis 2006)
    keys = -np.log(rng.random(len(weights)))
    half = size // 2
    by_weight = np.argpartition(keys / weights, half)[:half]
    keys[by_weight] = np.inf
    return np.concatenate([by_weight, np.argpartition(keys, size - half)[: size - half]])
