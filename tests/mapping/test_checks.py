"""What cannot work is refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite import registry
from hloc_lite.cli.main import main
from hloc_lite.config import FeaturesConfig, load_config
from hloc_lite.entries import Entry
from hloc_lite.errors import ConfigError, ImageError, MappingError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs, Run
from hloc_lite.models import load_models
from hloc_lite.registry import FEATURES, MATCHERS, Runtime, check_matcher
from hloc_lite.scene import SfmModel
from hloc_lite.synthetic.planes import make_planes
from hloc_lite.types import Camera
from tests.exact_scene import SIZE, NoWeights, make_scene, use_scene

NAMES = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}


@pytest.mark.parametrize(
    ("features", "matcher", "fit"),
    [
        ("rootsift", "lightglue-aliked", "mutual-nn"),
        ("aliked-t16", "lightglue-aliked", "mutual-nn"),
        ("aliked-n16", "lightglue-disk", "mutual-nn, lightglue-aliked"),
        ("disk", "lighterglue-xfeat", "mutual-nn, lightglue-disk"),
    ],
)
def test_matchers_for_other_features_are_refused(features, matcher, fit, tmp_path, capsys) -> None:
    config = load_config(overrides={"features": {"name": features}, "matching": {"name": matcher}})
    with pytest.raises(ConfigError, match=f"matchers for '{features}': {fit}$"):
        load_models(config, Runtime(NoWeights()))  # no weights are asked for
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).touch()
    command = ["map", str(tmp_path / "images"), "-o", str(tmp_path / "map"), "--offline"]
    with pytest.raises(SystemExit) as stop:
        main([*command, "--features", features, "--matcher", matcher])
    assert stop.value.code == 2 and "was trained for" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()


def test_all_features_have_their_own_matcher_and_the_nearest_neighbours() -> None:
    for features in FEATURES:
        check_matcher(FEATURES[features].default_matcher, features)
        check_matcher("mutual-nn", features)
    for features in ("aliked-n16rot", "aliked-n32"):
        check_matcher("lightglue-aliked", features)
    with pytest.raises(ConfigError, match=f"known are .*{max(MATCHERS)}"):
        check_matcher("superglue", "aliked-n16")


def test_a_mapper_beside_known_poses_is_refused(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["map", ".", "-o", str(tmp_path / "m"), "--reference", "model", "--mapper", "global"])
    assert stop.value.code == 2 and "leave --mapper away" in capsys.readouterr().err


@pytest.fixture
def scene(monkeypatch):
    scene = make_scene()
    return scene, use_scene(monkeypatch, scene)


def test_a_focal_length_that_gives_hardly_a_point_is_told(monkeypatch, caplog) -> None:
    target = "tests.robustness.stand_ins:Thumbnail"
    monkeypatch.setitem(registry.GLOBAL_DESCRIPTORS.registered, "thumbnail", Entry(target))
    world = make_planes(11)
    names = {f"{index}.jpg": index for index in range(0, 11, 2)}
    arrays = {name: world.view(index) for name, index in names.items()}
    right = world.reference(names)
    wrong = Camera("SIMPLE_PINHOLE", *SIZE, right.cameras[1].params * [3, 1, 1])

    def build(reference: SfmModel, least: float) -> int:
        settings = [
            "features.name=rootsift", "features.max_keypoints=300", "retrieval.name=thumbnail",
            f"mapping.min_triangulated_share={least}", "mapping.threads=1",
        ]  # fmt: skip
        inputs = MapInputs(reference=reference)
        config = load_config(settings=settings)
        return build_map(arrays, config, inputs=inputs, weights=NoWeights()).model.num_points

    assert build(right, 0.2) > 200 and "focal lengths" not in caplog.text
    assert build(replace(right, cameras={1: wrong}), 0.02) < 50
    assert "Check the focal lengths" in caplog.text
    with pytest.raises(MappingError, match=r"min_triangulated_share.*Check the focal lengths"):
        build(replace(right, cameras={1: wrong}), 0.2)


def test_the_map_depends_on_all_of_the_reference_that_counts(scene) -> None:
    world, config = scene
    reference = world.reference(NAMES)
    images = [replace(i, keypoints=np.zeros((2, 2)), point3D_idxs=[0, 1]) for i in reference.images]
    one = np.zeros((2, 3))
    with_points = replace(
        reference, images=tuple(images), point3D_ids=[1, 2], xyz=one, rgb=one, errors_px=[0, 0]
    )
    images[0] = replace(images[0], point3D_idxs=[0, -1])
    fewer = replace(with_points, images=tuple(images))
    camera = reference.cameras[1]
    larger = Camera(camera.model, 2 * camera.width, 2 * camera.height, camera.params)

    def fingerprint(reference: SfmModel, spec: str, **mapping: float) -> str:
        changed = {
            "pairs": config.pairs.model_copy(update={"spec": spec}),
            "mapping": config.mapping.model_copy(update=mapping),
        }
        run = Run(
            MemorySource({}), config.model_copy(update=changed), MapInputs(reference=reference),
            load_models(config, Runtime(NoWeights())), Path(), False,
        )  # fmt: skip
        return run.fingerprint(dict.fromkeys(NAMES, "content"))

    assert fingerprint(with_points, "covisible:1") != fingerprint(fewer, "covisible:1")
    assert fingerprint(with_points, "poses:1") == fingerprint(fewer, "poses:1")
    resized = replace(reference, cameras={1: larger})
    assert fingerprint(reference, "poses:1") != fingerprint(resized, "poses:1")
    stricter = fingerprint(reference, "poses:1", min_triangulated_share=0.1)
    assert stricter == fingerprint(reference, "poses:1")  # a check changes no map


def test_images_without_any_keypoint_are_called_so(scene, tmp_path: Path) -> None:
    config = scene[1].model_copy(update={"features": FeaturesConfig(name="rootsift")})
    rng = np.random.default_rng(0)
    for folder, name in (("images", "{}.png"), ("masks", "{}.png.png")):
        (tmp_path / folder).mkdir()
        for letter in "abc":
            pixels = rng.integers(0, 256 if folder == "images" else 1, (60, 80), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / name.format(letter))
    with pytest.raises(MappingError, match=r"none of the 3 images has any keypoint.*masked away"):
        build_map(
            tmp_path / "images", config, inputs=MapInputs(masks=tmp_path / "masks"),
            weights=NoWeights(),
        )  # fmt: skip


def test_an_image_that_cannot_be_used_is_left_out_with_its_reason(scene) -> None:
    world, config = scene
    names = {**NAMES, "f.png": 9}
    arrays = {name: world.image(index) for name, index in names.items()}
    arrays["f.png"] = np.zeros((0, 0, 3), np.uint8)
    inputs = MapInputs(reference=world.reference(names))
    place = build_map(arrays, config, inputs=inputs, weights=NoWeights())
    assert "got uint8 (0, 0, 3)" in place.report["images"]["f.png"]["reason"]
    assert place.report["registered"] == len(NAMES)
    with pytest.raises(MappingError, match=r"at least 2 images that can be used, got 1$"):
        build_map({"a.png": world.image(0)}, config, weights=NoWeights())
    with pytest.raises(MappingError, match=r"got 1 \(1 other skipped: 'f.png': expected an array"):
        build_map({n: arrays[n] for n in ("a.png", "f.png")}, config, weights=NoWeights())


@pytest.mark.parametrize("images", [[np.zeros((9, 9, 3), np.uint8)], None, 5])
def test_what_are_no_images_is_said(images) -> None:
    with pytest.raises(ImageError, match=f"got {type(images).__name__}"):
        build_map(images, weights=NoWeights())


def test_a_config_is_a_config() -> None:
    with pytest.raises(ConfigError, match="expected a Config, got dict"):
        build_map({}, {"features": {"name": "rootsift"}}, weights=NoWeights())


def test_colmap_does_not_speak_up_before_the_error(scene, capfd) -> None:
    world, config = scene
    # pure rotation: matches that agree, and nothing to begin a reconstruction with
    arrays = {f"{number}.png": world.image(0) for number in range(4)}
    with pytest.raises(MappingError, match="no image could be registered"):
        build_map(arrays, config, weights=NoWeights())
    assert capfd.readouterr().err == ""
