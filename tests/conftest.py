"""What all tests share: where weights come from, and when a test that needs them is skipped."""

from __future__ import annotations

import pytest
from hypothesis import settings

from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import BACKBONES, FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, Runtime

settings.register_profile("shared machine", deadline=None)  # time is the machine's, not the code's
settings.load_profile("shared machine")

_TESTED = (
    *FEATURES.builtin.values(),
    # matchers of photos share the backbone below, or have weights that cannot be fetched everywhere
    *(entry for entry in MATCHERS.builtin.values() if not entry.takes_photos),
    GLOBAL_DESCRIPTORS["netvlad-lite0"],
    BACKBONES["lite1"],
    BACKBONES["lite2"],
)
WEIGHTS_USED = tuple(dict.fromkeys(name for entry in _TESTED for name in entry.weights))
"""Weights that tests need; ``.ci/run`` and the hosted CI fetch them."""


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """Real weights, already fetched; tests never touch the network."""
    return Runtime(WeightsStore(offline=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    store = WeightsStore(offline=True)
    missing = [name for name in WEIGHTS_USED if not store.is_present(name)]
    if not missing:
        return
    reason = f"weights missing: run `hloc-lite weights fetch {' '.join(missing)}`"
    for item in items:
        if item.get_closest_marker("weights"):
            item.add_marker(pytest.mark.skip(reason=reason))
