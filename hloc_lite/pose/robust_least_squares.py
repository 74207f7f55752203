"""Robust least squares: Levenberg-Marquardt on a Cauchy loss, and the covariance of the pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from hloc_lite.types import Float64

MAX_ITERATIONS = 50
COST_TOLERANCE = 1e-8
"""Relative decrease of the cost at which the fit has converged: the remaining step is below a
thousandth of a standard deviation of the pose."""
COARSE_TOLERANCE = 1e-3
"""Same for a coarse fit, after which the inliers are found anew: these hardly depend on the last
tenth of a standard deviation."""
INITIAL_DAMPING = 1e-5
"""Damping relative to the diagonal; initial poses are close, and more damping costs a step."""
MEAN_CURVATURE_BELOW = 0.2
"""Relative decrease of the cost below which steps use the mean curvature of the loss. Before, they
use that of iteratively reweighted least squares (IRLS), whose steps never go too far."""
SANDWICH_POINTS = 100
"""Effective number of inliers at which both covariances have equal weight. With it 5 to 7 % of true
poses lie outside the 95 % region at 50 to 1000 inliers with normal or heavy-tailed noise, 8 to 9 %
at 16 to 30 (theory: 6 %), 14 % at 30 inliers with two kinds of noise. The sandwich covariance alone
gave 29 % at 30 inliers and 55 % at 16."""


@dataclass(frozen=True, eq=False)
class CauchyLoss:
    """Weighted Cauchy loss w loss_px^2 log(1 + r^2 / loss_px^2) of K residuals r."""

    residuals: Float64
    """(2, K) pixels."""
    weights: Float64
    """(K,) > 0."""
    loss_px: float
    robust: Float64
    """(K,) IRLS weights 1 / (1 + r^2 / loss_px^2)."""
    cost: float
    """Sum of the loss; infinite if a point lies behind the camera."""

    @classmethod
    def evaluate(cls, residuals: Float64, weights: Float64, loss_px: float) -> CauchyLoss:
        dx, dy = residuals
        relative = (dx * dx + dy * dy) / loss_px**2
        cost = float(loss_px**2 * (np.log1p(relative) @ weights))
        cost = cost if np.isfinite(cost) else np.inf
        return cls(residuals, weights, loss_px, 1 / (1 + relative), cost)


class Fit(Protocol):
    """Values of P parameters, the first six of them a pose, and the loss of K points there."""

    @property
    def loss(self) -> CauchyLoss: ...

    def jacobian(self) -> Float64:
        """(P, 2, K) derivative of the residuals with respect to a step."""

    def updated(self, step: Float64) -> Self:
        """Fit after a (P,) step; its first six entries are a left perturbation of the pose
        (rotation vector in rad, translation in map units)."""


AnyFit = TypeVar("AnyFit", bound=Fit)


def minimize(fit: AnyFit, *, coarse: bool) -> tuple[AnyFit, Float64 | None]:
    """Minimize the loss by Levenberg-Marquardt.

    Steps are those of IRLS; near the minimum they use the mean curvature of the loss, which takes
    fewer steps.

    Args:
        fit: initial values.
        coarse: stop at ``COARSE_TOLERANCE``, and compute no covariance.

    Returns:
        The minimum, and the (6, 6) covariance of its pose; None if it is not determined.
    """
    tolerance = COARSE_TOLERANCE if coarse else COST_TOLERANCE
    # a fine fit usually starts where a coarse one has ended, near the minimum
    damping, mean_curvature = INITIAL_DAMPING, not coarse
    jacobian = fit.jacobian()
    for _ in range(MAX_ITERATIONS):
        trial = fit.updated(_step(jacobian, fit.loss, damping, mean_curvature=mean_curvature))
        decrease = fit.loss.cost - trial.loss.cost
        if not trial.loss.cost < fit.loss.cost:
            # the step went too far: first try IRLS, then more damping
            damping, mean_curvature = damping if mean_curvature else 10 * damping, False
            if damping > 1e8:
                break
            continue
        mean_curvature = decrease <= MEAN_CURVATURE_BELOW * fit.loss.cost
        converged = decrease <= tolerance * fit.loss.cost
        fit, damping = trial, max(damping / 10, 1e-10)
        if converged:
            break  # the Jacobian is still valid: the pose has hardly moved
        jacobian = fit.jacobian()
    return fit, None if coarse else _covariance(jacobian, fit.loss)


def fill_rotation_rows(jacobian: Float64, points: Float64) -> None:
    """Compute rows 0 to 2 (rotation) of a Jacobian from its rows 3 to 5 (translation), in place.

    Args:
        jacobian: (P, 2, K), for a left perturbation of the pose.
        points: (3, K) in the frame of the perturbation.
    """
    (x, y, z), (a, b, c) = points, jacobian[3:6]
    # chain rule through omega cross X
    jacobian[0] = y * c - z * b
    jacobian[1] = z * a - x * c
    jacobian[2] = x * b - y * a


def damp(normal: Float64, damping: float, min_diagonal: float) -> None:
    """Multiply the diagonal of a (P, P) matrix by 1 + ``damping``, in place, after raising it to
    ``min_diagonal``."""
    diagonal = normal.reshape(-1)[:: len(normal) + 1]
    np.maximum(diagonal, min_diagonal, out=diagonal)
    diagonal *= 1 + damping


def _gram(jacobian: Float64, weights: Float64) -> Float64:
    """(P, P) Gram matrix: sum of J^T J over all points, with (K,) weights."""
    count = len(jacobian)
    weighted = (jacobian * weights).reshape(count, -1)
    return np.asarray(weighted @ jacobian.reshape(count, -1).T)


def _step(jacobian: Float64, loss: CauchyLoss, damping: float, *, mean_curvature: bool) -> Float64:
    """(P,) step to the minimum of the damped quadratic model of the cost."""
    weights, robust = loss.weights, loss.robust
    gradient = jacobian.reshape(len(jacobian), -1) @ (weights * robust * loss.residuals).ravel()
    # the curvature of the loss is 1 - r^2 / loss_px^2 along r and 1 across it, both times the
    # squared robust weight; the mean over random directions is the squared weight itself
    normal = _gram(jacobian, weights * (robust**2 if mean_curvature else robust))
    damp(normal, damping, 1e-12)
    try:
        return np.asarray(np.linalg.solve(normal, -gradient), np.float64)
    except np.linalg.LinAlgError:
        return np.zeros(len(gradient))  # decreases nothing, so more damping is tried


def _covariance(jacobian: Float64, loss: CauchyLoss) -> Float64 | None:
    """(6, 6) covariance of the pose: a blend of two M-estimator covariances.

    Huber's assumes the same noise for all points, and is reliable for a dozen of them. The sandwich
    covariance holds for any noise, but needs hundreds of points.
    """
    weights, robust = loss.weights, loss.robust
    num_params, num_residuals = len(jacobian), loss.residuals.size
    if num_residuals <= num_params or not np.isfinite(loss.cost):
        return None
    if not np.isfinite(jacobian).all():
        return None
    influence = robust * loss.residuals
    scale = np.sqrt(np.maximum(np.einsum("prk,prk->p", jacobian, jacobian), 1e-300))
    jacobian = jacobian / scale[:, None, None]
    normal = _gram(jacobian, weights)
    # (P, K) contribution of each point to the gradient
    gradients = weights * (jacobian[:, 0] * influence[0] + jacobian[:, 1] * influence[1])
    # derivative of the influence by the residual: falls below the weight as residuals grow
    bread = _gram(jacobian, weights * robust)
    bread -= 2 / loss.loss_px**2 * (gradients / weights) @ gradients.T
    for matrix in (normal, bread):
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < 1e-12 * eigenvalues[-1]:
            return None  # rank-deficient: collinear points, or one distant cluster
    degrees_of_freedom = num_residuals - num_params
    inflation = num_residuals / degrees_of_freedom
    inverse = np.linalg.inv(bread)
    sandwich = inverse @ (gradients @ gradients.T * inflation) @ inverse
    # Huber 1981, 7.6: mean slope, and the correction for its variance over few points
    slopes = robust**2
    correction = 1 + num_params / num_residuals * slopes.var() / slopes.mean() ** 2
    noise = (influence**2).mean() * inflation * (correction / slopes.mean()) ** 2
    inverse = np.linalg.inv(normal)
    huber = noise * inverse @ _gram(jacobian, weights**2) @ inverse
    num_effective = weights.sum() ** 2 / (weights**2).sum()
    share = num_effective / (num_effective + SANDWICH_POINTS)
    # the noise level is estimated, too: covariance of Student's t distribution
    student = degrees_of_freedom / max(degrees_of_freedom - 2, 1)
    covariance = student * (share * sandwich + (1 - share) * huber) / np.outer(scale, scale)
    return np.asarray((0.5 * (covariance + covariance.T))[:6, :6])
