"""Every matcher of photos of the registry keeps the contract, where its weights are at hand."""

from __future__ import annotations

import pytest

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts import check_pair_matcher
from hloc_lite.io.weights import WeightsStore
from hloc_lite.models import takes_photos
from hloc_lite.registry import MATCHERS, Runtime, create

NAMES = [name for name, entry in MATCHERS.builtin.items() if entry.takes_photos]


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, runtime: Runtime) -> None:
    store = WeightsStore(offline=True)
    missing = [each for each in MATCHERS[name].weights if not store.is_present(each)]
    if missing:
        pytest.skip(f"weights missing: hloc-lite weights fetch {' '.join(missing)}")
    matcher = create(MATCHERS, name, MatchingConfig(), runtime)
    assert takes_photos(matcher)
    check_pair_matcher(matcher)


def test_matchers_of_photos_are_marked() -> None:
    assert {"coarse-to-fine-lite0", "coarse-to-fine-vgg16", "loftr-outdoor"} <= set(NAMES)
    assert "mutual-nn" not in NAMES
