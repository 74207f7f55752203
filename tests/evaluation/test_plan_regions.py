"""Maps whose parts stand far apart get a plan for each part."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.evaluation.plan_regions import far_regions, nearest_region


def spots(*starts: float, count: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([np.add(rng.uniform(0, 30, (count, 3)), (at, 0, 0)) for at in starts])


def test_floors_far_apart_are_regions() -> None:
    centers = np.concatenate([spots(0), spots(1000, count=30), spots(2000, count=10)])
    middles = far_regions(centers)
    assert [round(float(middle[0]), -3) for middle in middles] == [1000, 0, 2000]
    regions = nearest_region(np.array([[5.0, 0, 0], [990, 9, 0], [9e9, 0, 0]]), middles)
    assert regions.tolist() == [1, 0, 2]
    assert nearest_region(np.zeros((0, 3)), middles).shape == (0,)


@pytest.mark.parametrize(
    "centers",
    [
        spots(0),
        spots(0, 60),  # two squares of one town
        np.concatenate([spots(0), [[500.0, 0, 0]]]),  # one camera elsewhere
        np.linspace([0, 0, 0], [5000, 0, 0], 50),  # a road
        np.zeros((30, 3)),  # one tripod
        np.array([[0.0, 0, 0], [9, 0, 0]]),
    ],
)
def test_one_place_is_one_region(centers: np.ndarray) -> None:
    assert len(far_regions(centers)) == 1


def test_no_cameras_have_no_region() -> None:
    assert far_regions(np.zeros((0, 3))) == []


def test_many_cameras_take_no_time_or_memory() -> None:
    centers = np.concatenate([spots(0, count=40_000), spots(900, count=40_000)])
    assert len(far_regions(centers)) == 2
