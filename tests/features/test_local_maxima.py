"""Local maxima of score maps with known peaks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hloc_lite.features.aliked import TEMPERATURE, _refined_maxima  # noqa: E402
from hloc_lite.features.networks import local_maxima  # noqa: E402


def brute_force(scores: np.ndarray, radius: int, threshold: float) -> set[tuple[int, int]]:
    height, width = scores.shape
    found = set()
    for y in range(radius, height - radius):
        for x in range(radius, width - radius):
            window = scores[y - radius : y + radius + 1, x - radius : x + radius + 1]
            if scores[y, x] > threshold and (window >= scores[y, x]).sum() == 1:
                found.add((x, y))
    return found


@pytest.mark.parametrize("levels", [4, 1000])
def test_only_strict_maxima_are_found(levels):
    scores = np.random.default_rng(1).integers(0, levels, (41, 53)).astype(np.float32) / levels
    x, y, windows = local_maxima(torch.from_numpy(scores), 2, 0.3)
    assert set(zip(x.tolist(), y.tolist(), strict=True)) == brute_force(scores, 2, 0.3)
    assert np.array_equal(windows[:, 12].numpy(), scores[y.numpy(), x.numpy()])


@pytest.mark.parametrize("shape", [(1, 1), (4, 9), (5, 5)])
def test_small_maps(shape):
    scores = torch.zeros(shape)
    scores[shape[0] // 2, shape[1] // 2] = 1
    x, y, _ = local_maxima(scores, 2, 0.5)
    assert (x.tolist(), y.tolist()) == (([2], [2]) if shape == (5, 5) else ([], []))


def test_aliked_refines_peaks_by_soft_argmax():
    rng = np.random.default_rng(2)
    true = np.array([[20, 10], [40, 12], [12, 33], [45, 40]]) + rng.uniform(-0.2, 0.2, (4, 2))
    y, x = np.indices((50, 60))
    scores = np.zeros((50, 60))
    for cx, cy in true:
        # the log of a Gaussian times the temperature: its soft-argmax is the Gaussian's mean
        parabola = 0.9 - TEMPERATURE * ((x - cx) ** 2 + (y - cy) ** 2) / (2 * 0.6**2)
        scores = np.maximum(scores, parabola)
    xy, values = _refined_maxima(torch.from_numpy(scores).float())
    order = np.lexsort((xy[:, 0], xy[:, 1]))
    expected = true[np.lexsort((true[:, 0], true[:, 1]))]
    assert np.abs(xy.numpy()[order] - expected).max() < 0.05
    assert values.min() > 0.7
