"""Which images are paired, and that a spec which cannot work is refused before the long stages."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import PairsConfig
from hloc_lite.config.pair_spec import PairSpec, parse_pair_spec
from hloc_lite.errors import ConfigError, FormatError, HlocLiteError, MappingError
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.pairs import choose_pairs
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3
from tests.exact_scene import NoWeights, make_scene, use_scene

CONFIG = PairsConfig()


def row_of_cameras(points_of: dict[str, list[int]]) -> SfmModel:
    """Cameras a metre apart, looking the same way; each sees the points listed for it."""
    images = tuple(
        SfmImage(row + 1, name, 1, Rigid3(np.eye(3), [-row, 0, 0]), np.zeros((len(seen), 2)), seen)
        for row, (name, seen) in enumerate(points_of.items())
    )
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    none = np.zeros((9, 3))
    return SfmModel({1: camera}, images, range(1, 10), none, none.astype(np.uint8), np.zeros(9))


MODEL = row_of_cameras({"a": [0, 1, 2, 3], "b": [0, 1, -1, 5], "c": [1, 2, 3, 6], "d": [7, 7, 3]})


def chosen(kind: str, k: int, names: str) -> list[tuple[str, str]]:
    return choose_pairs(PairSpec(kind, k), list(names), CONFIG, MODEL, lambda k: [])


def test_covisible_images_are_those_that_share_most_points() -> None:
    # shared: ab 2, ac 3, ad 1, bc 1, bd 0, cd 1
    assert chosen("covisible", 1, "abcd") == [("a", "b"), ("a", "c"), ("a", "d")]
    assert chosen("covisible", 3, "abcd") == [
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("c", "d")
    ]  # fmt: skip


def test_posed_images_are_paired_with_the_nearest() -> None:
    assert chosen("poses", 1, "abcd") == [("a", "b"), ("b", "c"), ("c", "d")]


@pytest.mark.parametrize("kind", ["covisible", "poses"])
def test_images_of_the_reference_that_are_absent_take_nobodys_place(kind: str) -> None:
    assert chosen(kind, 1, "ad") == [("a", "d")]


@pytest.mark.parametrize("spec", ["retrieval:²", "retrieval:0", "poses:-1", "n" * 300, "a\0b"])
def test_specs_that_mean_nothing_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="expected exhaustive"):
        parse_pair_spec(PairsConfig(spec=spec), 30, None)


@pytest.mark.parametrize(
    ("spec", "with_reference", "error"),
    [
        ("retrival:20", True, ConfigError),
        ("poses:5", False, MappingError),
        ("covisible:5", True, MappingError),
        ("bad pairs", True, FormatError),
    ],
)
def test_nothing_is_computed_for_a_spec_that_cannot_work(
    spec, with_reference, error, monkeypatch, tmp_path: Path
) -> None:
    world = make_scene()
    config = use_scene(monkeypatch, world)
    names = {"a.png": 0, "b.png": 1, "c.png": 2}
    world.write_images(tmp_path / "images", names)
    (tmp_path / "bad pairs").write_text("a.png nowhere.png\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        type(world), "features", lambda *_: pytest.fail("features were extracted first")
    )
    inputs = MapInputs(reference=world.reference(names) if with_reference else None)
    config = replace_spec(config, spec)
    with pytest.raises(error):
        build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())


def test_another_list_of_pairs_makes_another_map(monkeypatch, tmp_path: Path) -> None:
    world = make_scene()
    names = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}
    world.write_images(tmp_path / "images", names)
    lines = [f"{first} {second}\n" for first, second in combinations(names, 2)]
    listed = tmp_path / "pairs.txt"
    listed.write_text("".join(lines[1:]))
    config = replace_spec(use_scene(monkeypatch, world), str(listed))
    arguments = {
        "inputs": MapInputs(reference=world.reference(names)),
        "output": tmp_path / "map",
        "weights": NoWeights(),
    }
    assert build_map(tmp_path / "images", config, **arguments).report["pairs_tried"] == 9
    listed.write_text("".join(lines))
    with pytest.raises(HlocLiteError, match="other settings, weights or images"):
        build_map(tmp_path / "images", config, **arguments)
    again = build_map(tmp_path / "images", config, overwrite=True, **arguments)
    assert again.report["pairs_tried"] == 10


def replace_spec(config, spec: str):
    return config.model_copy(update={"pairs": config.pairs.model_copy(update={"spec": spec})})
