"""Choice of image pairs, by covisibility and by poses."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import PairsConfig
from hloc_lite.config.pair_spec import PairSpec, parse_pair_spec
from hloc_lite.errors import ConfigError, MappingError
from hloc_lite.mapping.pairs import choose_pairs, with_baseline
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

CONFIG = PairsConfig()


def row_of_cameras(points_of: dict[str, list[int]]) -> SfmModel:
    """Parallel cameras, one unit apart; each observes the points listed for it."""
    images = tuple(
        SfmImage(
            row + 1, name, 1, Rigid3(np.eye(3), [-row, 0, 0]), np.zeros((len(points), 2)), points
        )
        for row, (name, points) in enumerate(points_of.items())
    )
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    none = np.zeros((9, 3))
    return SfmModel({1: camera}, images, range(1, 10), none, none.astype(np.uint8), np.zeros(9))


MODEL = row_of_cameras({"a": [0, 1, 2, 3], "b": [0, 1, -1, 5], "c": [1, 2, 3, 6], "d": [7, 7, 3]})


def chosen(kind: str, k: int, names: str) -> list[tuple[str, str]]:
    return choose_pairs(PairSpec(kind, k), list(names), CONFIG, MODEL, lambda k: [])


def test_covisible_pairs_share_most_points() -> None:
    # shared: ab 2, ac 3, ad 1, bc 1, bd 0, cd 1
    assert chosen("covisible", 1, "abcd") == [("a", "b"), ("a", "c"), ("a", "d")]
    assert chosen("covisible", 3, "abcd") == [
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("c", "d")
    ]  # fmt: skip


def test_pose_pairs_are_nearest_neighbours() -> None:
    assert chosen("poses", 1, "abcd") == [("a", "b"), ("b", "c"), ("c", "d")]


@pytest.mark.parametrize("kind", ["covisible", "poses"])
def test_missing_images_do_not_count_among_the_k(kind: str) -> None:
    assert chosen(kind, 1, "ad") == [("a", "d")]


@pytest.mark.parametrize("spec", ["retrieval:²", "retrieval:0", "poses:-1", "n" * 300, "a\0b"])
def test_unknown_specs_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="expected exhaustive"):
        parse_pair_spec(PairsConfig(spec=spec), 30, None)


def test_no_pair_is_an_error() -> None:
    with pytest.raises(MappingError, match=r"no pair of images to match \(1 image, covisible\)"):
        chosen("covisible", 1, "a")


def test_sequential_pairs_follow_the_natural_order_of_names() -> None:
    names = ["f1", "f10", "f11", "f2", "f9"]
    pairs = choose_pairs(PairSpec("sequential", 1), names, CONFIG, None, lambda k: [])
    assert pairs == [("f1", "f2"), ("f10", "f11"), ("f10", "f9"), ("f2", "f9")]


def test_images_that_share_a_centre_are_no_pair_of_a_map_from_depth() -> None:
    """Cutouts of one laser scan; their centres differ by rounding only."""
    none = np.zeros(0, np.int64)
    centers = {"a": (0, 0, 0), "b": (1e-9, 0, 0), "c": (0.5, 0, 0), "d": (900, 0, 0)}
    images = tuple(
        SfmImage(row, name, 1, Rigid3(np.eye(3), -np.array(center)), np.zeros((0, 2)), none)
        for row, (name, center) in enumerate(centers.items(), start=1)
    )
    camera = Camera("SIMPLE_PINHOLE", 4, 3, np.array([3.0, 2, 1.5]))
    empty = np.zeros((0, 3))
    model = SfmModel({1: camera}, images, none, empty, empty.astype(np.uint8), np.zeros(0))
    pairs = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("c", "unknown")]
    assert with_baseline(pairs, model) == pairs[1:]


def test_no_pairs_can_be_asked_for() -> None:
    assert parse_pair_spec(PairsConfig(spec="none"), 9, None) == PairSpec("none")
