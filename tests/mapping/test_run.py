"""Inputs of a mapping run, and the fingerprints of what it stores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite.config import Config, load_config
from hloc_lite.errors import ConfigError, FormatError, ImageError, MappingError
from hloc_lite.io.files import read_json
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.retrieval import descriptor_store
from hloc_lite.mapping.run import MapInputs, Run
from hloc_lite.mapping.usable_images import find_usable_images
from hloc_lite.models import Models, load_models
from hloc_lite.registry import Runtime
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera
from tests.exact_scene import NoWeights

CHANGED = {
    "matching": {
        "two_pass": False,
        "two_pass_good_matches": 70,
        "two_pass_good_pairs": 5,
        "two_pass_chance_matches": 4,
        "ratio_midpoint": 0.75,
    },
    "mapping": {"min_triangulated_share": 0.03},
    "cascade": {"accept_above": 0.9, "num_initial_images": 4},
    "semantics": {"mode": "hard", "window_px": 4},
    "weighting": {"view_semantics": 0.5, "off": ["view_semantics", "track"]},
}
FINGERPRINTS_OF_0_1 = {
    "balanced": {
        "cheap-matches": "b66200d1fb7c7650",
        "cheap-verified": "a51e0dd35b0a0428",
        "features": "18963d12c9c87758",
        "map": "b7fd0642bf1474b6",
        "matches": "fc0a5d50715e09a8",
        "retrieval": "b71d2d1377ecf351",
        "verified": "6a4adde0595e3469",
    },
    "fast": {
        "cheap-matches": "0ac6642caa6228e7",
        "cheap-verified": "82ff645f8c222a64",
        "features": "5192d6e6d6223bc3",
        "map": "34583b5dc6b7f806",
        "matches": "fddcd32e2aeccc84",
        "retrieval": "b71d2d1377ecf351",
        "verified": "03a11b73cd0aff10",
    },
    "changed": {
        "cheap-matches": "14c21c84dd1fa7dd",
        "cheap-verified": "c9532fc031f43b6f",
        "features": "18963d12c9c87758",
        "map": "b9dc3e848b914e35",
        "matches": "be738824c92120ff",
        "retrieval": "b71d2d1377ecf351",
        "verified": "b1590bb36fe7e047",
    },
}


def run_with(config: Config, folder: Path) -> Run:
    networks: dict[str, Any] = {"extractor": None, "matcher": None, "global_descriptor": None}
    weights = {
        f"{field}_weights": {name: 4 * name}
        for field, name in (
            ("extractor", "extractor"),
            ("matcher", "matcher"),
            ("global_descriptor", "describer"),  # its name in version 0.1
        )
    }
    return Run(MemorySource({}), config, MapInputs(), Models(**networks, **weights), folder, False)


@pytest.mark.parametrize("name", FINGERPRINTS_OF_0_1)
def test_fingerprints_stay_those_of_version_0_1(name: str, tmp_path: Path) -> None:
    config = load_config(overrides=CHANGED) if name == "changed" else load_config(name)
    run = run_with(config, tmp_path)
    for store in ("features", "matches", "verified", "cheap-matches", "cheap-verified"):
        run.store(store)
    descriptor_store(run, {"a.jpg": "1"})
    found = {
        path.parent.name.partition("-")[0] if "retrieval" in path.parent.name else path.parent.name:
        read_json(path)["fingerprint"]
        for path in tmp_path.rglob("store.json")
    }  # fmt: skip
    found["map"] = run.fingerprint({"a.jpg": "1", "b.jpg": "2"})
    assert found == FINGERPRINTS_OF_0_1[name]


def test_map_fingerprint_covers_the_parts_of_the_reference_that_are_used(exact_scene) -> None:
    scene, config = exact_scene
    names = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}
    reference = scene.reference(names)
    images = [replace(i, keypoints=np.zeros((2, 2)), point3D_idxs=[0, 1]) for i in reference.images]
    two = np.zeros((2, 3))
    with_points = replace(
        reference, images=tuple(images), point3D_ids=[1, 2], xyz=two, rgb=two, errors_px=[0, 0]
    )
    images[0] = replace(images[0], point3D_idxs=[0, -1])
    fewer = replace(with_points, images=tuple(images))
    camera = reference.cameras[1]
    larger = Camera(camera.model, 2 * camera.width, 2 * camera.height, camera.params)

    def map_fingerprint(reference: SfmModel, spec: str, **mapping: float) -> str:
        changed = {
            "pairs": config.pairs.model_copy(update={"spec": spec}),
            "mapping": config.mapping.model_copy(update=mapping),
        }
        run = Run(
            MemorySource({}), config.model_copy(update=changed), MapInputs(reference=reference),
            load_models(config, Runtime(NoWeights())), Path(), False,
        )  # fmt: skip
        return run.fingerprint(dict.fromkeys(names, "0123"))

    assert map_fingerprint(with_points, "covisible:1") != map_fingerprint(fewer, "covisible:1")
    assert map_fingerprint(with_points, "poses:1") == map_fingerprint(fewer, "poses:1")
    resized = replace(reference, cameras={1: larger})
    assert map_fingerprint(reference, "poses:1") != map_fingerprint(resized, "poses:1")
    stricter = map_fingerprint(reference, "poses:1", min_triangulated_share=0.1)
    assert stricter == map_fingerprint(reference, "poses:1")  # a check changes no map


@pytest.mark.parametrize("images", [[np.zeros((9, 9, 3), np.uint8)], None, 5])
def test_inputs_that_are_not_images_are_refused(images) -> None:
    with pytest.raises(ImageError, match=f"got {type(images).__name__}"):
        build_map(images, weights=NoWeights())


def test_config_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a Config, got dict"):
        build_map({}, {"features": {"name": "rootsift"}}, weights=NoWeights())


@pytest.mark.parametrize(
    ("spec", "with_reference", "error"),
    [
        ("retrival:20", True, ConfigError),
        ("poses:5", False, MappingError),
        ("covisible:5", True, MappingError),
        ("bad pairs", True, FormatError),
    ],
)
def test_bad_pair_specs_are_refused_before_features_are_extracted(
    exact_scene, monkeypatch, tmp_path: Path, spec: str, with_reference: bool, error: type
) -> None:
    scene, config = exact_scene
    names = {"a.png": 0, "b.png": 1, "c.png": 2}
    scene.write_images(tmp_path / "images", names)
    (tmp_path / "bad pairs").write_text("a.png nowhere.png\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        type(scene), "features", lambda *_: pytest.fail("features were extracted first")
    )
    inputs = MapInputs(reference=scene.reference(names) if with_reference else None)
    pairs = config.pairs.model_copy(update={"spec": spec})
    config = config.model_copy(update={"pairs": pairs})
    with pytest.raises(error):
        build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())


def test_images_that_are_not_in_the_reference_are_skipped(exact_scene, caplog) -> None:
    scene, config = exact_scene
    source = MemorySource({f"{name}.png": scene.image(0) for name in "abc"})
    run = run_with(config, Path())
    reference = scene.reference({"b.png": 0, "c.png": 1, "gone.png": 2})
    posed = replace(run, source=source, inputs=MapInputs(reference=reference))
    hashes, skipped = find_usable_images(posed)
    assert list(hashes) == ["b.png", "c.png"]
    assert skipped == {"a.png": "not in the reference model"}
    assert "1 image of the reference not found, first 'gone.png'" in caplog.text
    other = replace(posed, inputs=MapInputs(reference=scene.reference({"images/b.png": 0})))
    with pytest.raises(MappingError, match=r"none of the 3 images.*'images/b.png'.*'a.png'"):
        find_usable_images(other)


def test_images_of_cameras_that_no_lens_has_are_skipped(exact_scene, caplog) -> None:
    scene, config = exact_scene
    source = MemorySource({f"{name}.png": scene.image(row) for row, name in enumerate("abc")})
    run = replace(run_with(config, Path()), source=source)
    reference = scene.reference({"a.png": 0, "b.png": 1, "c.png": 2})
    folded = replace(scene.camera, params=np.array([300.0, 160, 120, 100]))
    images = (replace(reference.images[0], camera_id=9), *reference.images[1:])
    cameras = {**reference.cameras, 9: folded}
    reference = replace(reference, cameras=cameras, images=images)
    hashes, skipped = find_usable_images(replace(run, inputs=MapInputs(reference=reference)))
    assert list(hashes) == ["b.png", "c.png"]
    assert "camera 9 of the reference: the distortion of SIMPLE_RADIAL" in skipped["a.png"]
    assert "camera 9" in caplog.text
    given = {"a.png": folded, "b.png": scene.camera, "c.png": scene.camera}
    hashes, skipped = find_usable_images(replace(run, inputs=MapInputs(cameras=given)))
    assert list(hashes) == ["b.png", "c.png"] and "its camera: the dist" in skipped["a.png"]
