"""Robust fit of a pose to pixels: Levenberg-Marquardt on a Cauchy loss, and its covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from hloc_lite.types import Float64

MAX_ITERATIONS = 50
STEP_TOLERANCE = 1e-8
"""Relative decrease of the cost by a step after which the minimum is reached: what is left of the
way is below a thousandth of a standard deviation of the pose."""
ROUGH_TOLERANCE = 1e-3
"""The same of a refinement after which inliers are counted again: these hardly depend on the last
tenth of a standard deviation."""
FIRST_DAMPING = 1e-5
"""Relative to each parameter's own curvature: starts are near, and a larger one costs a step."""
NEAR = 0.2
"""Relative decrease of the cost below which the mean curvature of the loss is a better guide than
that of re-weighted least squares, whose steps never go too far."""
SANDWICH_POINTS = 100
"""Inliers at which both covariances count alike. With it 5 to 7 % of true poses lie beyond the 95 %
bound at 50 to 1000 inliers of normal or heavy-tailed noise, 8 to 9 % at 16 to 30 (of 6 in theory),
14 % at 30 of two kinds of noise; the sandwich alone gave 29 % at 30 inliers, 55 % at 16."""


@dataclass(frozen=True, eq=False)
class Loss:
    """The weighted Cauchy loss w loss_px^2 log(1 + r^2 / loss_px^2) of K residuals r."""

    residuals: Float64
    """(2, K) pixels."""
    weights: Float64
    """(K,) > 0."""
    loss_px: float
    robust: Float64
    """(K,) weights 1 / (1 + r^2 / loss_px^2) of iterative re-weighting."""
    cost: float
    """Sum of the loss; infinite where a point lies behind the camera."""

    @classmethod
    def of(cls, residuals: Float64, weights: Float64, loss_px: float) -> Loss:
        dx, dy = residuals
        relative = (dx * dx + dy * dy) / loss_px**2
        cost = float(loss_px**2 * (np.log1p(relative) @ weights))
        cost = cost if np.isfinite(cost) else np.inf
        return cls(residuals, weights, loss_px, 1 / (1 + relative), cost)


class Fit(Protocol):
    """P parameters, the first six of them a pose, and how well K points agree with them."""

    @property
    def loss(self) -> Loss: ...

    def jacobian(self) -> Float64:
        """(P, 2, K) derivative of the residuals by a step."""

    def moved(self, step: Float64) -> Self:
        """After a (P,) step, of which the first six are a left perturbation of the pose (rotation
        vector in rad, translation in map units)."""


AnyFit = TypeVar("AnyFit", bound=Fit)


def minimize(fit: AnyFit, *, roughly: bool) -> tuple[AnyFit, Float64 | None]:
    """Minimize the loss by Levenberg-Marquardt: iterative re-weighting, and near the minimum the
    loss's mean curvature, which takes fewer steps.

    Args:
        fit: start.
        roughly: only to within ``ROUGH_TOLERANCE``, and without covariance.

    Returns:
        The minimum, and the (6, 6) covariance of its pose; None if the points leave it open.
    """
    tolerance = ROUGH_TOLERANCE if roughly else STEP_TOLERANCE
    # otherwise it most often starts where a rough one has ended
    damping, near = FIRST_DAMPING, not roughly
    jacobian = fit.jacobian()
    for _ in range(MAX_ITERATIONS):
        trial = fit.moved(_step(jacobian, fit.loss, damping, near=near))
        gain = fit.loss.cost - trial.loss.cost
        if not trial.loss.cost < fit.loss.cost:
            # after steps that went too far careful ones, and only then more damping
            damping, near = damping if near else 10 * damping, False
            if damping > 1e8:
                break
            continue
        near = gain <= NEAR * fit.loss.cost
        converged = gain <= tolerance * fit.loss.cost
        fit, damping = trial, max(damping / 10, 1e-10)
        if converged:
            break  # and the derivative is what it was a thousandth of a standard deviation before
        jacobian = fit.jacobian()
    return fit, None if roughly else _covariance(jacobian, fit.loss)


def fill_rotation_rows(jacobian: Float64, points: Float64) -> None:
    """Write rows 0 to 2 of a derivative by a left perturbation, from its rows 3 to 5.

    Args:
        jacobian: (P, 2, K), of which rows 3 to 5 are the derivative by the points, or translation.
        points: (3, K) in the frame of the perturbation.
    """
    (x, y, z), (a, b, c) = points, jacobian[3:6]
    # (omega cross X) through the derivative by X
    jacobian[0] = y * c - z * b
    jacobian[1] = z * a - x * c
    jacobian[2] = x * b - y * a


def damp(normal: Float64, damping: float, least: float) -> None:
    """Multiply the diagonal of a (P, P) matrix, of at least ``least``, by 1 + ``damping``."""
    diagonal = normal.reshape(-1)[:: len(normal) + 1]
    np.maximum(diagonal, least, out=diagonal)
    diagonal *= 1 + damping


def _gram(jacobian: Float64, weights: Float64) -> Float64:
    """(P, P) sum over all points of their (K,) weights times J^T J."""
    count = len(jacobian)
    weighted = (jacobian * weights).reshape(count, -1)
    return np.asarray(weighted @ jacobian.reshape(count, -1).T)


def _step(jacobian: Float64, loss: Loss, damping: float, *, near: bool) -> Float64:
    """(P,) towards the minimum of the cost's quadratic model."""
    weights, robust = loss.weights, loss.robust
    gradient = jacobian.reshape(len(jacobian), -1) @ (weights * robust * loss.residuals).ravel()
    # the curvature of the loss is 1 - r^2 / loss_px^2 along r, and 1 across, both times the
    # squared robust weight: on average that is the square itself
    normal = _gram(jacobian, weights * (robust**2 if near else robust))
    damp(normal, damping, 1e-12)
    try:
        return np.asarray(np.linalg.solve(normal, -gradient), np.float64)
    except np.linalg.LinAlgError:
        return np.zeros(len(gradient))  # helps nothing, and is tried again with more damping


def _covariance(jacobian: Float64, loss: Loss) -> Float64 | None:
    """Of the pose: between Huber's for one noise of all points, which a dozen of them can tell, and
    the sandwich, which is right for any noise once there are hundreds."""
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
    # (P, K) each point's part of the gradient
    gradients = weights * (jacobian[:, 0] * influence[0] + jacobian[:, 1] * influence[1])
    # derivative of the influence by the residual: falls below the weight as residuals grow
    bread = _gram(jacobian, weights * robust)
    bread -= 2 / loss.loss_px**2 * (gradients / weights) @ gradients.T
    for matrix in (normal, bread):
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < 1e-12 * eigenvalues[-1]:
            return None  # the points leave a direction open (collinear, or one far cluster)
    spare = num_residuals - num_params
    freedom = num_residuals / spare
    inverse = np.linalg.inv(bread)
    sandwich = inverse @ (gradients @ gradients.T * freedom) @ inverse
    # Huber 1981, 7.6: mean slope, and what its scatter adds for few points
    slopes = robust**2
    correction = 1 + num_params / num_residuals * slopes.var() / slopes.mean() ** 2
    noise = (influence**2).mean() * freedom * (correction / slopes.mean()) ** 2
    inverse = np.linalg.inv(normal)
    uniform = noise * inverse @ _gram(jacobian, weights**2) @ inverse
    points = weights.sum() ** 2 / (weights**2).sum()
    share = points / (points + SANDWICH_POINTS)
    # the size of the noise is an estimate itself: Student's law, whose covariance is larger
    student = spare / max(spare - 2, 1)
    covariance = student * (share * sandwich + (1 - share) * uniform) / np.outer(scale, scale)
    return np.asarray((0.5 * (covariance + covariance.T))[:6, :6])
