"""Networks are loaded from the bytes that were checked, not from a path that may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.config import FeaturesConfig, MatchingConfig, RetrievalConfig
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import WeightsFile
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, Runtime, create

PARTS = [
    *(
        (FEATURES, name, FeaturesConfig())
        for name, entry in FEATURES.builtin.items()
        if entry.weights
    ),
    *(
        (MATCHERS, name, MatchingConfig())
        for name, entry in MATCHERS.builtin.items()
        if entry.weights and not entry.takes_photos
    ),
    (GLOBAL_DESCRIPTORS, "netvlad-lite0", RetrievalConfig()),
]


class ContentOnly:
    """The real weights, without their paths."""

    def __init__(self) -> None:
        self._store = WeightsStore(offline=True)
        self.read_names: list[str] = []

    def path(self, name: str) -> Path:
        raise AssertionError(f"the path of {name!r} was asked for")

    def read(self, name: str) -> WeightsFile:
        self.read_names.append(name)
        return self._store.read(name)


@pytest.mark.weights
@pytest.mark.parametrize(("table", "name", "config"), PARTS, ids=[part[1] for part in PARTS])
def test_networks_are_loaded_from_checked_bytes(table, name, config) -> None:
    weights = ContentOnly()
    create(table, name, config, Runtime(weights))
    assert weights.read_names == list(table[name].weights)
