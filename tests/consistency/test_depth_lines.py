"""The line between the depths of two views: found among outliers, not found by chance."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.consistency.depth_lines import find_line

BOUND = float(np.log(1.25))


@pytest.mark.parametrize("share_right", [0.25, 0.5, 1.0])
def test_line_is_found_among_outliers(share_right: float) -> None:
    rng = np.random.default_rng(0)
    depths = np.sort(rng.uniform(3, 40, 200))
    right = rng.random(200) < share_right
    given = np.where(right, 0.5 * depths + 3, rng.uniform(3, 40, 200))
    line = find_line(depths, np.log(given), BOUND, with_shift=True)
    assert (np.abs(line.residuals[right]) < BOUND).mean() > 0.95
    assert line.fit_share > 0.05


def test_random_pairs_do_not_fit() -> None:
    rng = np.random.default_rng(0)
    fit_shares = [
        find_line(
            np.sort(rng.uniform(3, 40, 60)), np.log(rng.uniform(3, 40, 60)), BOUND, with_shift=True
        ).fit_share
        for _ in range(50)
    ]
    assert np.mean(np.array(fit_shares) > 0.05) <= 0.1


def test_constant_depth_does_not_fit_better_than_chance() -> None:
    line = find_line(np.full(50, 4.0), np.full(50, np.log(8.0)), BOUND, with_shift=True)
    np.testing.assert_allclose(line.residuals, 0, atol=1e-9)
    assert line.fit_share == pytest.approx(0, abs=1e-6)


def test_lines_without_shift_go_through_the_origin() -> None:
    d = np.linspace(2, 40, 60)
    log_y = np.log(d + 20)
    assert np.abs(find_line(d, log_y, BOUND, with_shift=False).residuals).max() > BOUND
    assert np.abs(find_line(d, log_y, BOUND, with_shift=True).residuals).max() < BOUND


def test_slope_is_positive() -> None:
    d = np.linspace(2, 40, 60)
    assert find_line(d, np.log(42.0 - d), BOUND, with_shift=True).fit_share < 0.05
