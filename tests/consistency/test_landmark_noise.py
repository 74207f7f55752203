"""Noise of landmarks and factors of their inlier thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import WeightingConfig
from hloc_lite.consistency.landmark_noise import bound_factors, landmark_noise
from hloc_lite.errors import ShapeError

CONFIG = WeightingConfig(bound_exponent=1.0)


def test_noise_of_known_landmarks() -> None:
    """Variances of 2 n residuals, 2 n - 3 of them free: 4 e^2 / 1 for two views, 8 e^2 / 5 for
    four. The median noise is 1; the others are shrunk towards it by one more residual."""
    lengths = np.array([2, 4, 4])
    errors = np.array([0.5, np.sqrt(5 / 8), np.sqrt(5 / 2)])  # variances 1, 1 and 4
    np.testing.assert_allclose(landmark_noise(lengths, errors), [1, 1, np.sqrt(21 / 6)])


def test_noise_of_simulated_landmarks() -> None:
    """Ten views determine the noise of a landmark to 20 %."""
    rng = np.random.default_rng(0)
    true = np.repeat([0.5, 1.0, 2.0], 300)
    lengths = np.full(900, 10)
    # residuals of a fit of 3 parameters: chi with 2 n - 3 degrees
    errors = true * np.sqrt(rng.chisquare(17, 900) / 20)
    found = landmark_noise(lengths, errors).reshape(3, -1)
    ratios = np.median(found, axis=1) / np.median(found[1])
    np.testing.assert_allclose(ratios, [0.5, 1, 2], rtol=0.1)


@pytest.mark.parametrize("errors", [[np.nan, -1, np.inf], [0, 0, 0]])
def test_factors_are_one_if_all_noise_is_unknown(errors: list[float]) -> None:
    """A map without known errors, and one whose errors are all 0."""
    lengths = np.array([3, 4, 5])
    noise = landmark_noise(lengths, np.array(errors, float))
    assert np.isnan(noise).all()
    assert (bound_factors(noise, lengths, CONFIG) == 1).all()


def test_factors_of_unknown_landmarks_are_one() -> None:
    lengths = np.array([1, 5, 5, 5, 5])
    noise = landmark_noise(lengths, np.array([0.3, np.nan, 0.3, 0.6, 1.2]))
    assert np.isnan(noise).tolist() == [True, True, False, False, False]
    factors = bound_factors(noise, lengths, CONFIG)
    assert (factors[:2] == 1).all()
    assert factors[2] < factors[3] < factors[4]


@given(st.integers(0, 2**31), st.sampled_from([0.3, 1.0, 2.0]))
def test_factors_are_clipped_with_geometric_mean_one_over_observations(
    seed: int, exponent: float
) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 20, 200)
    errors = rng.lognormal(-1, 0.7, 200)
    noise = landmark_noise(lengths, errors)
    config = WeightingConfig(bound_exponent=exponent)
    factors = bound_factors(noise, lengths, config)
    assert config.min_bound_factor <= factors.min() and factors.max() <= config.max_bound_factor
    assert np.average(np.log(factors), weights=lengths) == pytest.approx(0, abs=0.01)
    order = np.argsort(noise)
    assert (np.diff(factors[order]) >= -1e-12).all()
    # the unit of the errors has no effect
    np.testing.assert_allclose(landmark_noise(lengths, 7 * errors), noise)


def test_factors_are_one_without_exponent() -> None:
    noise = landmark_noise(np.array([3, 4, 5]), np.array([0.1, 0.5, 2.0]))
    assert (bound_factors(noise, np.array([3, 4, 5]), WeightingConfig()) == 1).all()


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="track_lengths"):
        landmark_noise(np.ones(3, int), np.ones(4))
