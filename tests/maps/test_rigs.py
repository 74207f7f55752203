"""Maps keep which photos a rig took together, from the reference to the exported model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.formats.colmap import read_model
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3
from tests.exact_scene import ExactScene, NoWeights, make_scene, use_scene

NAMES = {"left/1.png": 0, "left/2.png": 2, "right/1.png": 1, "right/2.png": 3}


def rigged_reference(scene: ExactScene) -> tuple[ExactScene, SfmModel]:
    """Scene in which camera 1 is beside 0 as 3 is beside 2, and its model with both frames."""
    right_from_left = scene.poses[1].compose(scene.poses[0].inverse())
    poses = list(scene.poses)
    poses[3] = right_from_left.compose(poses[2])
    moved = replace(scene, poses=tuple(poses))
    model = moved.reference(NAMES)
    images = tuple(
        replace(
            image, camera_id=1 + image.name.startswith("right"),
            frame_id=10 + int("2" in image.name),
        )
        for image in model.images
    )  # fmt: skip
    cameras = dict.fromkeys((1, 2), moved.camera)
    return moved, replace(model, images=images, cameras=cameras, reference_cameras=frozenset({2}))


def groups(model: SfmModel) -> set[frozenset[str]]:
    found: dict[int | None, set[str]] = {}
    for image in model.images:
        found.setdefault(image.frame_id, set()).add(image.name)
    return {frozenset(names) for frame_id, names in found.items() if frame_id is not None}


TOGETHER = {frozenset(f"{side}/{n}.png" for side in ("left", "right")) for n in (1, 2)}


@pytest.fixture
def built(tmp_path: Path, monkeypatch) -> tuple[Path, ExactScene]:
    """Folder with a map of the rig's photos, and the scene."""
    scene, reference = rigged_reference(make_scene())
    config = use_scene(monkeypatch, scene)
    images = {name: scene.image(index) for name, index in NAMES.items()}
    inputs = MapInputs(reference=reference)
    build_map(images, config, inputs=inputs, weights=NoWeights(), output=tmp_path / "map")
    return tmp_path / "map", scene


def test_a_map_of_rigs_keeps_their_frames(built: tuple[Path, ExactScene]) -> None:
    opened = Map.open(built[0]).model
    assert groups(opened) == TOGETHER and 2 in opened.reference_cameras


def test_exported_models_have_the_rigs(built: tuple[Path, ExactScene], tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    folder, scene = built
    with pytest.raises(SystemExit) as stop:
        main(["export", "colmap", str(folder), "-o", str(tmp_path / "out")])
        raise SystemExit(0)
    assert not stop.value.code
    assert groups(read_model(tmp_path / "out")) == TOGETHER
    found = pycolmap.Reconstruction(str(tmp_path / "out"))
    (rig,) = found.rigs.values()
    assert (rig.num_sensors(), rig.ref_sensor_id.id) == (2, 2)
    assert found.num_reg_frames() == 2 and found.num_reg_images() == 4
    for image in found.images.values():
        pose = Rigid3.from_matrix(image.cam_from_world().matrix())
        distance, angle_deg = pose_errors(pose, scene.poses[NAMES[image.name]])
        assert distance < 1e-9 and angle_deg < 1e-6


def test_maps_of_earlier_versions_are_opened(built: tuple[Path, ExactScene]) -> None:
    from hloc_lite.config import fingerprint

    folder, header_file = built[0], built[0] / "map.json"
    header = json.loads(header_file.read_text())
    for name in ("sfm/rigs.bin", "sfm/frames.bin"):
        del header["files"][name]
        (folder / name).unlink()
    del header["checksum"]
    header_file.write_text(json.dumps({**header, "checksum": fingerprint(header)}))
    model = Map.open(folder).model
    assert len(model.images) == 4 and groups(model) == set()
