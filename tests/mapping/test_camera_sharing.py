"""Which images share a camera."""

from __future__ import annotations

import pytest

from hloc_lite.config import MappingConfig
from hloc_lite.mapping.cameras import assign_cameras

SIZE = (4032, 3024)


def test_images_of_one_lens_share_a_camera_but_not_across_digital_zoom() -> None:
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
def test_a_shared_camera_has_the_focal_length_that_any_image_knows(cameras: str) -> None:
    exifs = {"f/a": {}, "f/b": {"focal_px": 2800.0}, "f/c": {}}
    config = MappingConfig(cameras=cameras)
    by_id, _ = assign_cameras(dict.fromkeys(exifs, SIZE), exifs, {}, config)
    (camera,) = by_id.values()
    assert camera.params[0] == 2800 and camera.has_prior_focal
