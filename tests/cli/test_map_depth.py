"""``map --depth``: a folder of depth images is all it takes; senseless options are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.map_depth import check_depth_usage, depth_lines, with_depth
from hloc_lite.config import LiftingConfig
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from tests.depth_scene import depth_image, make_depth_scene
from tests.exact_scene import use_scene
from tests.weights_stores import NoWeights

NAMES = {f"map{i}.png": i for i in (0, 1, 2, 4, 6)}


def test_depth_needs_poses_and_a_depth_camera_depth() -> None:
    with pytest.raises(ConfigError, match="--reference"):
        check_depth_usage(Path("DEPTH"), None, None, None)
    with pytest.raises(ConfigError, match="give them with --depth"):
        check_depth_usage(None, "7scenes", None, Path("MODEL"))
    check_depth_usage(Path("DEPTH"), "7scenes", None, Path("MODEL"))


def test_a_folder_of_depth_images_makes_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_depth_scene()
    config = use_scene(monkeypatch, scene)
    scene.write_images(tmp_path / "images", NAMES)
    (tmp_path / "depth").mkdir()
    for name, index in NAMES.items():
        found = depth_image(scene.camera, scene.poses[index], (160, 120))
        np.save(tmp_path / "depth" / f"{name}.npy", found.depths)
    inputs = MapInputs(reference=scene.reference(NAMES), metric=True)
    inputs = with_depth(inputs, tmp_path / "depth", None, config.lifting)
    output = tmp_path / "map"
    weights = NoWeights()
    sfm_map = build_map(tmp_path / "images", config, inputs=inputs, output=output, weights=weights)
    text = "\n".join(depth_lines(sfm_map.report["depth"]))
    assert "5 of 5 images" in text and "1.000 times as far, 100 % agree" in text
    # the same command finds the map complete; other depth makes another map
    again = build_map(tmp_path / "images", config, inputs=inputs, output=output, weights=weights)
    assert again.fingerprint == sfm_map.fingerprint
    path = tmp_path / "depth" / "map0.png.npy"
    np.save(path, np.load(path) * np.float32(1.001))
    changed = build_map(tmp_path / "images", config, inputs=inputs, weights=weights)
    assert changed.fingerprint != sfm_map.fingerprint


def test_a_folder_without_depth_of_the_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(b"")
    inputs = MapInputs(reference=make_depth_scene().reference(NAMES))
    with pytest.raises(FormatError, match=r"no depth image of the 5 photos, whose first is 'map0"):
        with_depth(inputs, tmp_path, None, LiftingConfig())
