"""Matching of image pairs: order, and the same matches with several threads."""

from __future__ import annotations

from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import MatchingConfig
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.pair_matching import by_locality, match_pairs, pair_key
from hloc_lite.matching.nearest import NearestMatcher
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures
from tests.exact_scene import NoWeights

PAIRS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] < p[1]), unique=True
)


@given(pairs=PAIRS)
def test_ordering_keeps_all_pairs(pairs) -> None:
    named = [(str(a), str(b)) for a, b in pairs]
    assert sorted(by_locality(named)) == sorted(named)


def test_each_image_is_read_about_once() -> None:
    rng = np.random.default_rng(0)
    ring = [f"{n}" for n in rng.permutation(500)]  # names do not follow the neighbourhood
    pairs = sorted((ring[i], ring[(i + step) % 500]) for i in range(500) for step in range(1, 6))
    reads: list[str] = []
    cached = lru_cache(60)(reads.append)
    for pair in by_locality(pairs):
        for name in pair:
            cached(name)
    assert len(reads) < 520


def test_threads_give_the_same_matches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((6, 40, 8))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    features = {
        str(i): LocalFeatures(rng.random((40, 2)), rows[i], rng.random(40), (9, 9))
        for i in range(6)
    }
    pairs = [(str(a), str(b)) for a in range(6) for b in range(a)]
    matcher = NearestMatcher("mutual-nn", MatchingConfig(), Runtime(NoWeights()))
    stores = [ShardedStore(tmp_path / str(n), "made from", "matches") for n in (1, 3)]
    with closing(stores[0]), closing(stores[1]):
        for workers, store in zip((1, 3), stores, strict=True):
            match_pairs(
                pairs, features.__getitem__, matcher, store, 2, workers=workers, progress=False
            )
        for pair in pairs:
            found = [store[pair_key(pair)] for store in stores]
            assert np.array_equal(found[0]["indices"], found[1]["indices"])
            assert len(found[0]["indices"]) > 0
