"""Similarities (rotation, scale, translation) between point sets, also where some are far off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float64, Rigid3, frozen_array


@dataclass(frozen=True, eq=False)
class Similarity3:
    """x_in_a = scale * rotation @ x_in_b + translation; bind it to a name ``a_from_b``."""

    scale: float
    """Units of a per unit of b, > 0."""
    rotation: Float64
    """(3, 3), orthonormal."""
    translation: Float64
    """(3,), in units of a."""

    def __post_init__(self) -> None:
        for name, shape in (("rotation", (3, 3)), ("translation", (3,))):
            array = frozen_array(getattr(self, name), np.float64, shape, f"Similarity3.{name}")
            object.__setattr__(self, name, array)
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ShapeError(f"Similarity3.scale: expected a number above 0, got {self.scale}")

    def apply(self, points_in_b: npt.ArrayLike) -> Float64:
        """(..., 3) points of frame b, in frame a."""
        turned = np.asarray(points_in_b, np.float64) @ self.rotation.T
        return self.scale * turned + self.translation

    def inverse(self) -> Similarity3:
        """``b_from_a`` of this ``a_from_b``."""
        rotation = self.rotation.T
        return Similarity3(1 / self.scale, rotation, -rotation @ self.translation / self.scale)

    def pose_in_a(self, cam_from_b: Rigid3) -> Rigid3:
        """``cam_from_a`` of a camera of frame b: its centre moved, lengths in units of a."""
        rotation = cam_from_b.rotation @ self.rotation.T
        return Rigid3(rotation, -rotation @ self.apply(cam_from_b.center))

    def pose_in_b(self, cam_from_a: Rigid3) -> Rigid3:
        """The inverse of ``pose_in_a``."""
        return self.inverse().pose_in_a(cam_from_a)


def fit_similarity(
    source: Float64, target: Float64, weights: Float64 | None = None
) -> Similarity3 | None:
    """Weighted least-squares similarity ``target_from_source`` (Umeyama 1991).

    Args:
        source: (N, 3).
        target: (N, 3).
        weights: (N,) >= 0; None: all alike.

    Returns:
        None where all points of one set coincide: then there is no scale.
    """
    return _fitted(source, target, weights, _best_turn)


def fit_level_similarity(
    source: Float64, target: Float64, weights: Float64 | None = None
) -> Similarity3 | None:
    """As ``fit_similarity``, where both sets have the same z axis: a turn about it, scale, shift.

    Returns:
        None where all points of one set coincide, or are one above the other.
    """
    return _fitted(source, target, weights, _best_level_turn)


def _fitted(
    source: Float64,
    target: Float64,
    weights: Float64 | None,
    best_turn: Callable[[Float64], tuple[Float64, float]],
) -> Similarity3 | None:
    """The similarity whose rotation ``best_turn`` finds: of the (3, 3) moment of both centred sets,
    sum of w target source^T, it gives the rotation R that maximizes trace(R^T moment), and that."""
    weights = np.ones(len(source)) if weights is None else weights
    total = weights.sum()
    if total <= 0:
        return None
    source_mean, target_mean = weights @ source / total, weights @ target / total
    a, b = source - source_mean, target - target_mean
    rotation, stretch = best_turn((b * weights[:, None]).T @ a)
    spread = float(weights @ (a**2).sum(axis=1))
    if not (spread > 0 and stretch > 0):
        return None
    scale = stretch / spread
    return Similarity3(scale, rotation, target_mean - scale * rotation @ source_mean)


def _best_turn(moment: Float64) -> tuple[Float64, float]:
    u, singular, vt = np.linalg.svd(moment)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (u * flip) @ vt, float((singular * flip).sum())


def _best_level_turn(moment: Float64) -> tuple[Float64, float]:
    along, across = moment[0, 0] + moment[1, 1], moment[1, 0] - moment[0, 1]
    length = float(np.hypot(along, across))
    if length == 0:
        return np.eye(3), 0.0  # any turn is as good
    cos, sin = along / length, across / length
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), length + float(moment[2, 2])
