"""Systematic errors of a depth sensor, learned from triangulated points.

Sensors have errors of 1 to 2 percent that neighbouring pixels and images share, so that averaging
does not remove them: those of a Kinect grow linearly from near to far. A line from measured to
triangulated depth removes most of that; what is left is a share of depth by which every lifted
point is uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float64

NUM_ROUNDS = 10
"""Rounds of reweighting: the line moves little after five."""
LOSS_SIGMAS = 2.4
"""Scale of Cauchy's loss: 95 % efficient for normal errors (Holland and Welsch 1977)."""
MAD_SIGMA = 1.4826
"""Standard deviation of normal errors over their median absolute value."""
OFFSET_PRIOR = 0.02
"""Standard deviation of the offset as share of the median depth: without a range of depths, an
offset is not told apart from a factor."""


@dataclass(frozen=True)
class DepthCorrection:
    """True depth = offset + factor * measured depth, up to a relative error."""

    offset: float = 0.0
    """Map units."""
    factor: float = 1.0
    systematic: float = 0.0
    """Relative standard deviation of what is left, shared by neighbours."""

    def apply(self, z: Float64) -> Float64:
        """(N,) corrected depths; NaN where they would not be positive."""
        with np.errstate(invalid="ignore"):
            corrected = self.offset + self.factor * z
            return np.asarray(np.where(corrected > 0, corrected, np.nan))


def fit_correction(measured: Float64, z: Float64, sigmas: Float64) -> DepthCorrection:
    """Fit the correction to K points by a robust line, errors relative to depth.

    Args:
        measured: (K,) measured depths, none unknown.
        z: (K,) depths of triangulated points.
        sigmas: (K,) standard deviations of ``measured - z`` by the noise of sensor and points.
    """
    typical = float(np.median(z))
    relative = measured / z
    design = np.stack([1 / z, relative], axis=1)  # errors relative to depth: 1 = a / z + b m / z
    line = np.array([0.0, 1 / float(np.median(relative))])
    for _ in range(NUM_ROUNDS):
        errors = 1 - design @ line
        scale = MAD_SIGMA * float(np.median(np.abs(errors))) + 1e-12
        weights = 1 / (1 + np.square(errors / (LOSS_SIGMAS * scale))) / scale**2
        normal = (design * weights[:, None]).T @ design
        normal[0, 0] += 1 / (OFFSET_PRIOR * typical) ** 2
        line = np.linalg.solve(normal, (design * weights[:, None]).T @ np.ones(len(z)))
    errors = 1 - design @ line
    spread = MAD_SIGMA * float(np.median(np.abs(errors)))
    known = float(np.median(np.square(sigmas / z)))
    left = float(np.sqrt(max(spread**2 - known, 0.0)))
    return DepthCorrection(float(line[0]), float(line[1]), left)
