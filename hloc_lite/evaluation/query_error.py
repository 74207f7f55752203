"""Position and rotation errors of estimated poses, one for each true pose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.types import Float64, Rigid3


@dataclass(frozen=True)
class QueryError:
    """Position and rotation error of one query; infinite without a pose."""

    name: str
    distance: float
    """Distance between the camera centres, map units."""
    angle_deg: float
    is_fallback: bool = False
    """True if the pose is that of the most similar map image, for a photo that was not localized.
    It counts in recalls, but was not given as the pose of the photo."""

    @property
    def localized(self) -> bool:
        return math.isfinite(self.distance)

    def within(self, threshold: Threshold) -> bool:
        """Return True if both errors are at most those of the threshold, or below if strict."""
        if threshold.strict:
            return (
                self.distance < threshold.max_distance and self.angle_deg < threshold.max_angle_deg
            )
        return self.distance <= threshold.max_distance and self.angle_deg <= threshold.max_angle_deg


def query_errors(
    estimated: Mapping[str, Rigid3], true: Mapping[str, Rigid3]
) -> tuple[QueryError, ...]:
    """Errors of estimated ``cam_from_world`` poses, one for each true pose.

    They are infinite for a missing or non-finite pose.
    """
    known = [name for name in true if name in estimated]
    known = [name for name in known if np.isfinite(estimated[name].rotation).all()]
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats: a failure
        distances, angles_deg = _errors([estimated[n] for n in known], [true[n] for n in known])
    is_finite = np.isfinite(distances) & np.isfinite(angles_deg)
    columns = zip(known, distances.tolist(), angles_deg.tolist(), is_finite, strict=True)
    found = {name: (distance, angle) for name, distance, angle, finite in columns if finite}
    return tuple(QueryError(name, *found.get(name, (math.inf, math.inf))) for name in true)


def _errors(estimated: Sequence[Rigid3], true: Sequence[Rigid3]) -> tuple[Float64, Float64]:
    """Return (N,) distances and (N,) angles in degrees, as ``pose_errors`` of each pair.

    All pairs at once: SciPy takes 0.1 ms to convert a single rotation.
    """
    if not estimated:
        return np.zeros(0), np.zeros(0)
    offsets = np.array([pose.center for pose in estimated]) - [pose.center for pose in true]
    # a product of matrices, not a sum of squares, rounds like the norm of a single vector
    squares = np.matmul(offsets[:, None, :], offsets[:, :, None])[:, 0, 0]
    estimated_rotations = np.array([pose.rotation for pose in estimated])
    true_rotations = np.array([pose.rotation for pose in true])
    relative = Rotation.from_matrix(estimated_rotations @ true_rotations.transpose(0, 2, 1))
    return np.sqrt(squares), np.degrees(relative.magnitude())
