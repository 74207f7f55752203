"""Two-pass matching: the learned matcher sees only the pairs that need it; the map stays good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite import registry
from hloc_lite.config import MatchingConfig
from hloc_lite.entries import MatcherEntry
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.mapping.two_pass_matching import pairs_for_second_pass
from hloc_lite.types import LocalFeatures, Matches
from tests.exact_scene import NoWeights
from tests.mapping.test_pair_matching import PAIRS

NAMES = {f"{letter}.png": index for index, letter in enumerate("abcdefgh")}
NEGATED = {"d.png", "e.png"}
CONFIG = MatchingConfig(two_pass_good_matches=10, two_pass_good_pairs=3, two_pass_chance_matches=4)


class SignBlind:
    """Matcher of descriptors up to their sign, which nearest neighbours cannot match."""

    calls: ClassVar[list[int]] = []

    def __init__(self, name: str, config: MatchingConfig, runtime: Any) -> None:
        pass

    def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
        self.calls.extend(1 for _ in pairs)
        found = []
        for first, second in pairs:
            equal = np.abs(first.descriptors @ second.descriptors.T) > 0.99
            found.append(Matches(np.argwhere(equal), np.ones(int(equal.sum()))))
        return found


@pytest.fixture
def scene(exact_scene, monkeypatch, tmp_path: Path):
    """Exact scene in which the descriptors of two images are negated."""
    world, config = exact_scene
    original = type(world).features

    def features(self, index: int, max_keypoints: int) -> LocalFeatures:
        found = original(self, index, max_keypoints)
        sign = -1 if any(NAMES[name] == index for name in NEGATED) else 1
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


def test_second_pass_matches_only_pairs_that_need_it(scene, tmp_path: Path) -> None:
    built = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    # d and e agree with each other; of their 6 pairs with others each needs 2 more
    assert built.report["pairs_by_matcher"] == {"mutual-nn": 24, "sign-blind": 4}
    assert len(SignBlind.calls) == 4
    with_all = build(scene, tmp_path, "all", two_pass=False)
    assert with_all.report["pairs_by_matcher"] == {"sign-blind": 28}
    assert len(SignBlind.calls) == 4 + 28
    counts, all_counts = (
        np.array([(i.point3D_idxs >= 0).sum() for i in each.model.images])
        for each in (built, with_all)
    )
    assert counts.min() > 150 and (counts > 0.95 * all_counts).all()


def test_second_pass_is_empty_where_nearest_neighbours_suffice(scene, tmp_path: Path) -> None:
    built = build(scene, tmp_path, "map", two_pass_good_pairs=1)
    assert SignBlind.calls == []
    assert built.report["pairs_by_matcher"] == {"mutual-nn": 28}


def test_two_passes_without_known_poses(scene, tmp_path: Path) -> None:
    world, config = scene
    matching = config.matching.model_copy(update={"name": "sign-blind"})
    scratch = config.scratch.model_copy(update={"two_pass_min_pairs": 0, "two_pass_pairs": 3})
    config = config.model_copy(update={"matching": matching, "scratch": scratch})
    inputs = MapInputs(cameras=dict.fromkeys(NAMES, world.camera))
    built = build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())
    assert len(built.model.images) == len(NAMES)
    assert built.report["pairs_by_matcher"]["sign-blind"] < 28


def test_resumed_run_gives_the_same_map(scene, tmp_path: Path) -> None:
    first = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    work = tmp_path / "map" / "work"
    for name in ("matches", "cheap-verified"):  # as if the run had been killed before them
        for shard in (work / name).glob("shard-*.h5"):
            shard.unlink()
    (tmp_path / "map" / "map.json").unlink()
    SignBlind.calls.clear()
    again = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    assert len(SignBlind.calls) == 4
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.model.xyz, first.model.xyz)


def test_another_number_of_pairs_reuses_stored_matches(scene, tmp_path: Path) -> None:
    wide = build(scene, tmp_path, "map", two_pass_good_pairs=6)
    num_calls = len(SignBlind.calls)
    narrow = build(scene, tmp_path, "map", two_pass_good_pairs=3)
    assert len(SignBlind.calls) == num_calls
    # the other stored matches are not used
    assert narrow.report["pairs_by_matcher"] == {"mutual-nn": 24, "sign-blind": 4}
    assert wide.report["pairs_by_matcher"]["sign-blind"] > 4


def test_images_get_as_many_of_their_best_other_pairs_as_they_need() -> None:
    counts = {
        ("a", "b"): 50, ("a", "c"): 10, ("a", "d"): 9, ("a", "e"): 8,
        ("b", "c"): 12, ("b", "d"): 4, ("b", "e"): 0, ("c", "d"): 7, ("c", "e"): 1,
    }  # fmt: skip
    # a, b and c have two good pairs and get one more above chance level (b has none);
    # d and e have no good pair and get all their pairs
    expected = [p for p in counts if counts[p] < 10]
    assert pairs_for_second_pass(counts, CONFIG) == expected
    well_connected = {p: n for p, n in counts.items() if "d" not in p and "e" not in p}
    assert pairs_for_second_pass(well_connected, CONFIG) == []
    assert pairs_for_second_pass({}, CONFIG) == []
    ties = {("a", "b"): 6, ("a", "c"): 6, ("a", "d"): 6, ("b", "c"): 60}
    one = CONFIG.model_copy(update={"two_pass_good_pairs": 1})
    assert pairs_for_second_pass(ties, one) == [("a", "b"), ("a", "d")]  # a's first, d's only one


def test_pairs_at_chance_level_are_not_matched_again() -> None:
    square = {("a", "b"): 50, ("b", "c"): 50, ("c", "d"): 50, ("a", "d"): 50}
    counts = {**square, ("a", "c"): 4, ("b", "d"): 5}
    assert pairs_for_second_pass(counts, CONFIG) == [("b", "d")]


@given(pairs=PAIRS, data=st.data())
def test_every_image_gets_enough_pairs_and_not_more(pairs, data) -> None:
    counts = {(f"{a:02}", f"{b:02}"): data.draw(st.integers(0, 20)) for a, b in pairs}
    chosen = pairs_for_second_pass(counts, CONFIG)
    images = {name for pair in counts for name in pair}
    assert len(chosen) <= CONFIG.two_pass_good_pairs * len(images)
    assert all(counts[pair] < CONFIG.two_pass_good_matches for pair in chosen)
    after = dict.fromkeys(images, 0)
    for pair in counts:
        for name in pair:
            after[name] += pair in chosen or counts[pair] >= CONFIG.two_pass_good_matches
    possible = {
        n: sum(n in p and counts[p] > CONFIG.two_pass_chance_matches for p in counts)
        for n in images
    }
    assert all(after[n] >= min(CONFIG.two_pass_good_pairs, possible[n]) for n in images)
