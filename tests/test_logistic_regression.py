"""Logistic regression with coefficients of at least 0."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.logistic_regression import fit_logistic


def drawn(num_rows: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Rows from a model with coefficients 1, -1 and 0.5 and intercept -0.3."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(num_rows, 3))
    log_odds = values @ [1, -1, 0.5] - 0.3
    return values, rng.random(num_rows) < 1 / (1 + np.exp(-log_odds))


def test_coefficients_are_recovered_and_negative_ones_are_zero() -> None:
    values, labels = drawn()
    fit = fit_logistic(values, labels, ridge=1.0)
    assert fit.coefficients[1] == 0
    # without the second column the others shrink
    assert fit.coefficients[0] / fit.coefficients[2] == pytest.approx(2, rel=0.1)
    assert fit.log_loss < fit.base_log_loss
    flipped = fit_logistic(values * [1, -1, 1], labels, ridge=1.0)
    np.testing.assert_allclose(flipped.coefficients, [1, 1, 0.5], atol=0.06)
    assert flipped.intercept == pytest.approx(-0.3, abs=0.05)


def test_limits_and_penalty() -> None:
    values, labels = drawn()
    limited = fit_logistic(values, labels, ridge=1.0, max_coefficient=0.25)
    assert limited.coefficients.max() == 0.25
    assert fit_logistic(values, labels, ridge=1e6).coefficients.max() < 0.05
