"""Scale and shift of predicted depths: exact on exact data, robust to outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.consistency.depth_fit import fit_depths, masked_median

RNG = np.random.default_rng(0)
KINDS = ("metric", "relative", "inverse")


def predicted_from(depths: np.ndarray, kind: str) -> tuple[np.ndarray, float, float]:
    """Values of a map of that kind, with the scale and shift that restore the depths."""
    if kind == "metric":
        return depths / 1.7, 1.7, 0.0
    if kind == "relative":
        return (depths - 0.8) / 0.4, 0.4, 0.8
    return (1 / depths - 0.02) / 0.3, 0.3, 0.02


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share_wrong", [0.0, 0.3])
def test_exact_depths_are_fitted_exactly(kind: str, share_wrong: float) -> None:
    depths = RNG.uniform(2, 30, 200)
    predicted, scale, shift = predicted_from(depths, kind)
    wrong = np.arange(200) < 200 * share_wrong
    given_depths = np.where(wrong, RNG.uniform(2, 30, 200), depths)
    fit = fit_depths(predicted, given_depths[None], kind)
    np.testing.assert_allclose(fit.scale, scale, rtol=2e-2)
    np.testing.assert_allclose(fit.shift, shift, atol=2e-2 * abs(shift) + 1e-12)
    assert np.abs(fit.log_ratios[0, ~wrong]).max() < 0.02
    np.testing.assert_allclose(
        fit.log_ratios[0, wrong], np.log(given_depths[wrong] / depths[wrong]), atol=0.02
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sigma_is_the_noise(kind: str) -> None:
    depths = RNG.uniform(2, 20, 3000)
    predicted, _, _ = predicted_from(depths, kind)
    noisy = depths * np.exp(RNG.normal(0, 0.15, 3000))
    assert fit_depths(predicted, noisy[None], kind).sigma[0] == pytest.approx(0.15, rel=0.2)


def test_rows_do_not_influence_each_other() -> None:
    predicted = RNG.uniform(1, 20, 80)
    depths = np.array([[1.0], [3.0], [0.2]]) * predicted + np.array([[0.5], [0.0], [2.0]])
    together = fit_depths(predicted, depths, "relative")
    for row in range(3):
        alone = fit_depths(predicted, depths[[row]], "relative")
        assert together.scale[row] == pytest.approx(alone.scale[0], rel=1e-9)
        np.testing.assert_allclose(together.log_ratios[row], alone.log_ratios[0], atol=1e-9)


def test_only_fitted_entries_count() -> None:
    predicted = RNG.uniform(1, 20, 100)
    fitted = np.arange(100) < 20  # the other 80 agree on another scale
    depths = np.where(fitted, 2 * predicted, 5 * predicted)[None]
    assert fit_depths(predicted, depths, "metric", fitted[None]).scale[0] == pytest.approx(2)
    assert fit_depths(predicted, depths, "metric").scale[0] == pytest.approx(5)


def test_scale_is_positive() -> None:
    predicted = RNG.uniform(1, 20, 100)
    fit = fit_depths(predicted, (25 - predicted)[None], "relative")
    assert fit.scale[0] > 0 and fit.sigma[0] > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_constant_depth_fits(kind: str) -> None:
    fit = fit_depths(np.full(30, 3.0), np.full((1, 30), 6.0), kind)
    np.testing.assert_allclose(fit.log_ratios, 0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_depths_are_ignored_and_stay_unknown(kind: str) -> None:
    depths = RNG.uniform(2, 30, 60)
    predicted, _, _ = predicted_from(depths, kind)
    predicted[:3] = [np.nan, 0, -1]
    depths[3:7] = [np.nan, 0, -4, np.inf]
    fit = fit_depths(predicted, depths[None], kind)
    assert np.isnan(fit.log_ratios[0, :7]).all()
    np.testing.assert_allclose(fit.log_ratios[0, 7:], 0, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 5])
def test_nothing_known(kind: str, count: int) -> None:
    fit = fit_depths(np.full(count, np.nan), np.ones((2, count)), kind)
    assert np.isnan(fit.scale).all() and fit.log_ratios.shape == (2, count)
    assert np.isnan(fit.log_ratios).all()


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_masked_median_is_the_median(values: list[float], mask: list[bool]) -> None:
    array, chosen = np.array([values]), np.array([mask[: len(values)]])
    (found,) = masked_median(array, chosen)
    if not chosen.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.median(array[chosen]))
