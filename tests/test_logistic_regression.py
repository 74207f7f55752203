"""Logistic regression, compared with scikit-learn where no bound is active."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.logistic_regression import fit_logistic


def sampled(num: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(num, 3))
    log_odds = features @ [1.0, 0.5, 0.2] - 0.7
    return features, rng.random(num) < 1 / (1 + np.exp(-log_odds))


def test_fit_agrees_with_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="it is in the extra dev")
    features, outcomes = sampled()
    fit = fit_logistic(features, outcomes, ridge=2.0)
    expected = linear_model.LogisticRegression(C=0.5, tol=1e-10).fit(features, outcomes)
    np.testing.assert_allclose(fit.coefficients, expected.coef_[0], atol=1e-5)
    assert fit.intercept == pytest.approx(expected.intercept_[0], abs=1e-5)


def test_coefficients_are_bounded() -> None:
    features, outcomes = sampled()
    fit = fit_logistic(features * [1, -1, 1], outcomes, max_coefficient=0.6)
    assert fit.coefficients[0] == 0.6 and fit.coefficients[1] == 0


def test_weights_count_as_repetitions_and_offsets_as_known_log_odds() -> None:
    features, outcomes = sampled(200)
    weights = np.tile([1.0, 2.0], 100)
    weighted = fit_logistic(features, outcomes, weights=weights)
    rows = np.repeat(np.arange(200), weights.astype(int))
    repeated = fit_logistic(features[rows], outcomes[rows])
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=1e-6)
    full = fit_logistic(features, outcomes)
    known = features @ full.coefficients
    intercept = fit_logistic(np.zeros((200, 0)), outcomes, offsets=known).intercept
    assert intercept == pytest.approx(full.intercept, abs=1e-6)


def test_equal_outcomes_give_a_finite_intercept() -> None:
    fit = fit_logistic(np.zeros((5, 0)), np.ones(5, bool))
    assert fit.intercept > 10 and np.isfinite(fit.intercept) and fit.log_loss < 1e-4
