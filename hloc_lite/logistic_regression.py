"""Logistic regression with coefficients of at least 0 and an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from hloc_lite.types import Bool, Float64


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """P(label) = 1 / (1 + exp(-(intercept + values @ coefficients)))."""

    coefficients: Float64
    """(F,) >= 0."""
    intercept: float
    log_loss: float
    """Mean log loss (natural logarithm) on the rows of the fit."""
    base_log_loss: float
    """Mean log loss of the constant share of True labels, for comparison."""


def fit_logistic(
    values: Float64,
    labels: npt.NDArray[np.bool_],
    *,
    ridge: float,
    max_coefficient: float | None = None,
) -> LogisticFit:
    """Fit a logistic model by L-BFGS-B.

    Args:
        values: (N, F).
        labels: (N,) some True, some False.
        ridge: strength of the L2 penalty on coefficients, in rows. It makes the fit unique if
            columns are constant or equal.
        max_coefficient: upper limit of each coefficient; None for none.
    """
    num_rows, num_columns = values.shape
    share = float(labels.mean())
    start = np.concatenate([np.zeros(num_columns), [np.log(share / (1 - share))]])
    found = minimize(
        _loss_and_gradient,
        start,
        (values, labels, ridge / num_rows),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, max_coefficient)] * num_columns + [(None, None)],
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    loss, _ = _loss_and_gradient(found, values, labels, 0.0)
    base, _ = _loss_and_gradient(start, values, labels, 0.0)
    return LogisticFit(found[:-1], float(found[-1]), float(loss), float(base))


def _loss_and_gradient(
    parameters: Float64, values: Float64, labels: Bool, ridge: float
) -> tuple[float, Float64]:
    """Mean log loss + ridge / 2 |coefficients|^2, and its gradient."""
    coefficients, intercept = parameters[:-1], parameters[-1]
    logits = values @ coefficients + intercept
    loss = np.logaddexp(0, np.where(labels, -logits, logits)).mean()
    residuals = (expit(logits) - labels) / len(labels)
    gradient = np.concatenate([residuals @ values + ridge * coefficients, [residuals.sum()]])
    return float(loss + ridge / 2 * coefficients @ coefficients), gradient
