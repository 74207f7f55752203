"""Nearest neighbours first, the matcher only for the pairs that need it: the map is the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite import registry
from hloc_lite.config import MatchingConfig
from hloc_lite.entries import MatcherEntry
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.pair_matching import by_locality, match_pairs, pair_key
from hloc_lite.mapping.run import MapInputs
from hloc_lite.mapping.two_pass_matching import pairs_for_second_pass
from hloc_lite.matching.nearest import NearestMatcher
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Matches
from tests.exact_scene import NoWeights, make_scene, use_scene

NAMES = {f"{letter}.png": index for index, letter in enumerate("abcdefgh")}
ODD = {"d.png", "e.png"}
CONFIG = MatchingConfig(two_pass_good_matches=10, two_pass_good_pairs=3, two_pass_chance_matches=4)


class SignBlind:
    """Matches descriptors up to their sign; nearest neighbours cannot."""

    calls: ClassVar[list[int]] = []

    def __init__(self, name: str, config: MatchingConfig, runtime: Any) -> None:
        pass

    def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
        self.calls.extend(1 for _ in pairs)
        found = []
        for first, second in pairs:
            alike = np.abs(first.descriptors @ second.descriptors.T) > 0.99
            found.append(Matches(np.argwhere(alike), np.ones(int(alike.sum()))))
        return found


@pytest.fixture
def scene(monkeypatch, tmp_path: Path):
    """Two of the images have their descriptors turned around."""
    world = make_scene()
    config = use_scene(monkeypatch, world)
    original = type(world).features

    def features(self, index: int, max_keypoints: int) -> LocalFeatures:
        found = original(self, index, max_keypoints)
        sign = -1 if any(NAMES[name] == index for name in ODD) else 1
        return replace(found, descriptors=sign * found.descriptors)

    monkeypatch.setattr(type(world), "features", features)
    monkeypatch.setattr(SignBlind, "calls", [])
    monkeypatch.setattr("tests.exact_scene.SignBlind", SignBlind, raising=False)
    entry = MatcherEntry("tests.exact_scene:SignBlind")
    monkeypatch.setitem(registry.MATCHERS.registered, "sign-blind", entry)
    world.write_images(tmp_path / "images", NAMES)
    return world, config


def build(scene, tmp_path: Path, folder: str, **matching):
    world, config = scene
    matching = {"name": "sign-blind", **matching}
    config = config.model_copy(update={"matching": config.matching.model_copy(update=matching)})
    inputs = MapInputs(reference=world.reference(NAMES))
    return build_map(
        tmp_path / "images", config, inputs=inputs, output=tmp_path / folder,
        weights=NoWeights(), keep_work=True, overwrite=True,
    )  # fmt: skip


def test_only_pairs_that_need_it_meet_the_matcher(scene, tmp_path: Path) -> None:
    place = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    # d and e agree with each other; of their 6 pairs with others each needs 2 more
    assert place.report["pairs_by_matcher"] == {"mutual-nn": 24, "sign-blind": 4}
    assert len(SignBlind.calls) == 4
    with_all = build(scene, tmp_path, "all", two_pass=False)
    assert with_all.report["pairs_by_matcher"] == {"sign-blind": 28}
    assert len(SignBlind.calls) == 4 + 28
    seen = [
        np.array([(i.point3D_idxs >= 0).sum() for i in p.model.images]) for p in (place, with_all)
    ]
    assert seen[0].min() > 150 and (seen[0] > 0.95 * seen[1]).all()  # d and e as well


def test_where_nearest_neighbours_do_the_matcher_is_not_asked(scene, tmp_path: Path) -> None:
    place = build(scene, tmp_path, "map", two_pass_good_pairs=1)
    assert SignBlind.calls == []
    assert place.report["pairs_by_matcher"] == {"mutual-nn": 28}


def test_without_poses_too(scene, tmp_path: Path) -> None:
    world, config = scene
    matching = config.matching.model_copy(update={"name": "sign-blind"})
    config = config.model_copy(update={"matching": matching})
    inputs = MapInputs(cameras=dict.fromkeys(NAMES, world.camera))
    place = build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())
    assert len(place.model.images) == len(NAMES)
    assert place.report["pairs_by_matcher"]["sign-blind"] < 28


def test_a_resumed_run_ends_the_same(scene, tmp_path: Path) -> None:
    first = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    work = tmp_path / "map" / "work"
    for what in ("matches", "cheap-verified"):  # as if it had been killed before these were there
        for shard in (work / what).glob("shard-*.h5"):
            shard.unlink()
    (tmp_path / "map" / "map.json").unlink()
    SignBlind.calls.clear()
    again = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    assert len(SignBlind.calls) == 4
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.model.xyz, first.model.xyz)


def test_another_choice_of_pairs_keeps_their_matches(scene, tmp_path: Path) -> None:
    wide = build(scene, tmp_path, "map", two_pass_good_pairs=6)
    asked = len(SignBlind.calls)
    narrow = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    assert len(SignBlind.calls) == asked
    # what the wider choice left in the store has no say
    assert narrow.report["pairs_by_matcher"] == {"mutual-nn": 24, "sign-blind": 4}
    assert wide.report["pairs_by_matcher"]["sign-blind"] > 4


def test_an_image_gets_as_many_of_its_best_other_pairs_as_it_lacks() -> None:
    counts = {
        ("a", "b"): 50, ("a", "c"): 10, ("a", "d"): 9, ("a", "e"): 8,
        ("b", "c"): 12, ("b", "d"): 4, ("b", "e"): 0, ("c", "d"): 7, ("c", "e"): 1,
    }  # fmt: skip
    # a, b and c have two and take one more, if it is above chance: b has none of those;
    # d and e have none and take what there is, above chance or not
    expected = [p for p in counts if counts[p] < 10]
    assert pairs_for_second_pass(counts, CONFIG) == expected
    without_lonely = {p: n for p, n in counts.items() if "d" not in p and "e" not in p}
    assert pairs_for_second_pass(without_lonely, CONFIG) == []
    assert pairs_for_second_pass({}, CONFIG) == []
    ties = {("a", "b"): 6, ("a", "c"): 6, ("a", "d"): 6, ("b", "c"): 60}
    one = CONFIG.model_copy(update={"two_pass_good_pairs": 1})
    assert pairs_for_second_pass(ties, one) == [("a", "b"), ("a", "d")]  # a's first, d's only one


def test_pairs_that_agree_by_chance_are_left_alone() -> None:
    square = {("a", "b"): 50, ("b", "c"): 50, ("c", "d"): 50, ("a", "d"): 50}
    counts = {**square, ("a", "c"): 4, ("b", "d"): 5}
    assert pairs_for_second_pass(counts, CONFIG) == [("b", "d")]


PAIRS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] < p[1]), unique=True
)


@given(pairs=PAIRS, data=st.data())
def test_no_more_pairs_than_images_can_lack(pairs, data) -> None:
    counts = {(f"{a:02}", f"{b:02}"): data.draw(st.integers(0, 20)) for a, b in pairs}
    chosen = pairs_for_second_pass(counts, CONFIG)
    images = {name for pair in counts for name in pair}
    assert len(chosen) <= CONFIG.two_pass_good_pairs * len(images)
    assert all(counts[pair] < CONFIG.two_pass_good_matches for pair in chosen)
    after = dict.fromkeys(images, 0)
    for pair in counts:
        for name in pair:
            after[name] += pair in chosen or counts[pair] >= CONFIG.two_pass_good_matches
    hopeful = {
        n: sum(n in p and counts[p] > CONFIG.two_pass_chance_matches for p in counts)
        for n in images
    }
    assert all(after[n] >= min(CONFIG.two_pass_good_pairs, hopeful[n]) for n in images)


@given(pairs=PAIRS)
def test_ordering_loses_no_pair(pairs) -> None:
    named = [(str(a), str(b)) for a, b in pairs]
    assert sorted(by_locality(named)) == sorted(named)


def test_each_image_is_read_about_once() -> None:
    rng = np.random.default_rng(0)
    ring = [f"{n}" for n in rng.permutation(500)]  # names say nothing about places
    pairs = sorted((ring[i], ring[(i + step) % 500]) for i in range(500) for step in range(1, 6))
    reads: list[str] = []
    cached = lru_cache(60)(reads.append)
    for pair in by_locality(pairs):
        for name in pair:
            cached(name)
    assert len(reads) < 520


def test_threads_make_the_same_matches(tmp_path: Path) -> None:
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
