"""Logistic regression with non-negative coefficients and an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hloc_lite.types import Bool, Float64


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """Model P(true) = 1 / (1 + exp(-(intercept + features . coefficients)))."""

    coefficients: Float64
    """(P,) coefficients >= 0."""
    intercept: float
    log_loss: float
    """Mean log loss (natural logarithm) on the rows of the fit, without the penalty."""


def fit_logistic(
    features: Float64,
    outcomes: Bool,
    *,
    ridge: float = 1.0,
    max_coefficient: float = np.inf,
    weights: Float64 | None = None,
    offsets: Float64 | None = None,
    expected: Float64 | None = None,
    intercept_ridge: float = 0.0,
) -> LogisticFit:
    """Fit a logistic regression; the problem is convex.

    Args:
        features: (R, P); P may be 0.
        outcomes: (R,) boolean.
        ridge: L2 penalty, in rows: ridge / 2 |coefficients - expected|^2 is added to the sum of
            losses.
        max_coefficient: upper limit of the coefficients.
        weights: (R,) weights of the rows; default: 1.
        offsets: (R,) known part of the log odds; default: 0.
        expected: (P,) coefficients that cost nothing; default: 0.
        intercept_ridge: L2 penalty on the intercept, as ``ridge``.
    """
    weights = np.ones(len(outcomes)) if weights is None else weights
    weights = weights / len(outcomes)
    offsets = np.zeros(len(outcomes)) if offsets is None else offsets
    num_features, penalty = features.shape[1], ridge / len(outcomes)
    expected = np.zeros(num_features) if expected is None else expected
    penalties = np.append(np.full(num_features, penalty), intercept_ridge / len(outcomes))
    aims = np.append(expected, 0.0)

    def mean_loss(parameters: Float64) -> tuple[float, Float64]:
        """Mean log loss with the penalty, and its gradient."""
        coefficients, intercept = parameters[:-1], parameters[-1]
        log_odds = features @ coefficients + intercept + offsets
        loss = weights @ np.logaddexp(0, np.where(outcomes, -log_odds, log_odds))
        residuals = weights * (expit(log_odds) - outcomes)
        away = parameters - aims
        gradient = np.append(residuals @ features, residuals.sum()) + penalties * away
        return float(loss + penalties / 2 @ np.square(away)), gradient

    share = float(np.clip(outcomes.mean(), 1e-9, 1 - 1e-9))
    found = minimize(
        mean_loss,
        np.append(expected, np.log(share / (1 - share))),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, max_coefficient)] * num_features + [(None, None)],
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    penalized = penalties / 2 @ np.square(found - aims)
    log_loss = mean_loss(found)[0] - penalized
    return LogisticFit(found[:-1], float(found[-1]), float(log_loss))
