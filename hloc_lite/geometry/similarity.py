"""Similarity transforms (rotation, scale, translation), and their least-squares fit to points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float64, Rigid3, freeze_field


@dataclass(frozen=True, eq=False)
class Similarity3:
    """x_in_a = scale * rotation @ x_in_b + translation; named ``a_from_b``."""

    scale: float
    """Units of a per unit of b, > 0."""
    rotation: Float64
    """(3, 3), orthonormal."""
    translation: Float64
    """(3,), in units of a."""

    def __post_init__(self) -> None:
        freeze_field(self, "rotation", np.float64, 3, 3)
        freeze_field(self, "translation", np.float64, 3)
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ShapeError(f"Similarity3.scale: expected a number above 0, got {self.scale}")

    def apply(self, points_in_b: npt.ArrayLike) -> Float64:
        """(..., 3) points of frame b in frame a."""
        rotated = np.asarray(points_in_b, np.float64) @ self.rotation.T
        return self.scale * rotated + self.translation

    def inverse(self) -> Similarity3:
        """``b_from_a`` of this ``a_from_b``."""
        rotation = self.rotation.T
        return Similarity3(1 / self.scale, rotation, -rotation @ self.translation / self.scale)

    def pose_in_a(self, cam_from_b: Rigid3) -> Rigid3:
        """``cam_from_a`` of a camera with pose ``cam_from_b``, lengths in units of a."""
        rotation = cam_from_b.rotation @ self.rotation.T
        return Rigid3(rotation, -rotation @ self.apply(cam_from_b.center))


def fit_similarity(
    source: Float64, target: Float64, weights: Float64 | None = None
) -> Similarity3 | None:
    """Weighted least-squares similarity ``target_from_source`` (Umeyama 1991).

    Args:
        source: (N, 3).
        target: (N, 3).
        weights: (N,) >= 0; None: all equal.

    Returns:
        None if all points of one set coincide: then the scale is undetermined.
    """
    return _fit(source, target, weights, _best_rotation)


def fit_level_similarity(
    source: Float64, target: Float64, weights: Float64 | None = None
) -> Similarity3 | None:
    """``fit_similarity`` with the rotation restricted to the z axis, which both frames share.

    Returns:
        None if all points of one set coincide, or lie on one vertical line.
    """
    return _fit(source, target, weights, _best_level_rotation)


def _fit(
    source: Float64,
    target: Float64,
    weights: Float64 | None,
    best_rotation: Callable[[Float64], tuple[Float64, float]],
) -> Similarity3 | None:
    """Similarity with the rotation that ``best_rotation`` finds.

    Args:
        best_rotation: takes the (3, 3) moment sum of w target source^T of both centred sets, and
            returns the rotation R that maximizes trace(R^T moment), and that maximum.
    """
    weights = np.ones(len(source)) if weights is None else weights
    total = weights.sum()
    if total <= 0:
        return None
    source_mean, target_mean = weights @ source / total, weights @ target / total
    a, b = source - source_mean, target - target_mean
    rotation, trace = best_rotation((b * weights[:, None]).T @ a)
    spread = float(weights @ (a**2).sum(axis=1))
    if not (spread > 0 and trace > 0):
        return None
    scale = trace / spread
    return Similarity3(scale, rotation, target_mean - scale * rotation @ source_mean)


def _best_rotation(moment: Float64) -> tuple[Float64, float]:
    u, singular, vt = np.linalg.svd(moment)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (u * flip) @ vt, float((singular * flip).sum())


def _best_level_rotation(moment: Float64) -> tuple[Float64, float]:
    along, across = moment[0, 0] + moment[1, 1], moment[1, 0] - moment[0, 1]
    length = float(np.hypot(along, across))
    if length == 0:
        return np.eye(3), 0.0  # all rotations fit equally
    cos, sin = along / length, across / length
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), length + float(moment[2, 2])
