"""Intrinsics of map images, and which images share a camera."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import MappingConfig
from hloc_lite.errors import FormatError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.cameras import assign_cameras, find_cameras
from hloc_lite.mapping.run import MapInputs, Run
from hloc_lite.models import load_models
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera
from tests.exact_scene import NoWeights

SIZE = (4032, 3024)


def test_images_with_the_same_lens_and_digital_zoom_share_a_camera() -> None:
    lens = {"make": "M", "model": "P", "focal_mm": 6.8}
    exifs = {
        "a": {**lens, "focal_px": 2800.0},
        "b": {**lens, "focal_px": 2800.0},
        "zoomed": {**lens, "focal_px": 5600.0},
        "unknown": {},
    }
    cameras, camera_of = assign_cameras(dict.fromkeys(exifs, SIZE), exifs, {}, MappingConfig())
    assert camera_of["a"] == camera_of["b"]
    assert len({*camera_of.values()}) == len(cameras) == 3
    focals = {name: cameras[camera_id].params[0] for name, camera_id in camera_of.items()}
    assert focals == {"a": 2800, "b": 2800, "zoomed": 5600, "unknown": 1.2 * 4032}


@pytest.mark.parametrize("cameras", ["single", "per-folder"])
def test_shared_camera_has_the_focal_length_of_the_image_that_knows_it(cameras: str) -> None:
    exifs = {"f/a": {}, "f/b": {"focal_px": 2800.0}, "f/c": {}}
    config = MappingConfig(cameras=cameras)
    by_id, _ = assign_cameras(dict.fromkeys(exifs, SIZE), exifs, {}, config)
    (camera,) = by_id.values()
    assert camera.params[0] == 2800 and camera.has_prior_focal


def test_given_and_reference_cameras_are_rescaled(exact_scene, tmp_path: Path, caplog) -> None:
    scene, config = exact_scene
    models = load_models(config, Runtime(NoWeights()))
    reference = scene.reference({"a.png": 0, "b.png": 1})
    run = Run(MemorySource({}), config, MapInputs(reference=reference), models, tmp_path, False)
    with_cameras = replace(run, inputs=MapInputs(cameras={"a.png": scene.camera}))
    with_others = replace(run, inputs=MapInputs(cameras={"c.png": scene.camera}))
    with closing(ShardedStore(tmp_path / "features", "made from", "features")) as store:
        for name, size in (("a.png", (160, 120)), ("b.png", (160, 120)), ("d.png", (320, 240))):
            exif = np.frombuffer(json.dumps({}).encode(), np.uint8)
            store.add(name, {"image_size": np.array(size, np.int32), "exif": exif})
        names = ["a.png", "b.png"]
        by_id, id_of = find_cameras(run, names, store)
        assert id_of == {"a.png": 1, "b.png": 1}
        assert (by_id[1].width, by_id[1].height, by_id[1].params[0]) == (160, 120, 150)
        by_id, id_of = find_cameras(with_cameras, names, store)
        assert by_id[id_of["a.png"]].params[0] == 150 and id_of["a.png"] != id_of["b.png"]
        assert "no intrinsics were given for 1 of 2 images (first: 'b.png')" in caplog.text
        with pytest.raises(FormatError, match=r"none of the 2 images.*'c.png'.*'a.png'"):
            find_cameras(with_others, names, store)
        mixed = replace(run, inputs=MapInputs(reference=scene.reference({"a.png": 0, "d.png": 1})))
        with pytest.raises(FormatError, match=r"'d.png' has 320 x 240 pixels, others"):
            find_cameras(mixed, ["a.png", "d.png"], store)


@pytest.mark.parametrize(("cx", "said"), [(40.0, True), (32.0, False)])
def test_maps_say_for_which_frame_intrinsics_of_turned_photos_are_taken(
    exact_scene, tmp_path: Path, caplog, cx: float, said: bool
) -> None:
    _, config = exact_scene
    models = load_models(config, Runtime(NoWeights()))
    camera = Camera("PINHOLE", 64, 64, np.array([60.0, 60.0, cx, 32.0]))
    inputs = MapInputs(cameras={"turned": camera, "upright": camera})
    run = Run(MemorySource({}), config, inputs, models, tmp_path, False)
    with closing(ShardedStore(tmp_path / "features", "made from", "features")) as store:
        for name, exif in (("turned", {"orientation": 6}), ("upright", {})):
            text = np.frombuffer(json.dumps(exif).encode(), np.uint8)
            store.add(name, {"image_size": np.array([64, 64], np.int32), "exif": text})
        find_cameras(run, ["turned", "upright"], store)
    assert ("1 photo, first 'turned', turned by EXIF" in caplog.text) == said
