"""Mapping and localization of an exact scene: the answer is known to numerical precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError, MappingError, StaleArtefactError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.pycolmap_adapter import has_global_mapper
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.types import Status
from tests.exact_scene import NoWeights, make_scene, use_scene

NAMES = {
    "straße 1/bild (1).png": 0, "straße 1/bild (2).png": 1, "b/x.png": 2, "c/x.png": 3,
    "a-b/c.png": 4, "a/b-c.png": 5, "q.png": 6, "r s.png": 7,
}  # fmt: skip


@pytest.fixture
def scene(monkeypatch):
    scene = make_scene()
    return scene, use_scene(monkeypatch, scene)


def test_known_poses_give_exact_points_and_poses(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    place = build_map(
        tmp_path / "images", config, inputs=inputs, output=tmp_path / "map", weights=NoWeights()
    )
    assert [image.name for image in place.model.images] == sorted(NAMES)
    assert place.model.num_points > 250
    distances = np.linalg.norm(place.model.xyz[:, None] - world.points[None], axis=2).min(axis=1)
    assert np.median(distances) < 1e-5 and distances.max() < 1e-3  # keypoints are float32
    localizer = Localizer(Map.open(tmp_path / "map"), weights=NoWeights())
    for index in (8, 9):
        result = localizer.localize(world.image(index), world.camera, name=f"query {index}")
        assert result.status is Status.LOCALIZED, result.reason
        distance, angle_deg = pose_errors(result.pose.cam_from_world, world.poses[index])
        assert distance < 1e-4 and angle_deg < 1e-3
        # queries match loosely: a few wrong matches come along
        assert result.pose.num_inliers > 0.98 * len(result.correspondences)
        pairs = np.stack(
            [result.correspondences.keypoint_idxs, result.correspondences.point3D_idxs], axis=1
        )
        assert len(np.unique(pairs, axis=0)) == len(pairs)


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_from_scratch_registers_all_up_to_a_similarity(scene, tmp_path: Path, mapper) -> None:
    if mapper == "global" and not has_global_mapper():
        pytest.skip("this pycolmap has no global mapper")
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    changed = config.mapping.model_copy(update={"mapper": mapper})
    config = config.model_copy(update={"mapping": changed})
    cameras = dict.fromkeys(NAMES, world.camera)
    place = build_map(
        tmp_path / "images", config, inputs=MapInputs(cameras=cameras), weights=NoWeights()
    )
    assert len(place.model.images) == len(NAMES)
    centers = np.array([image.cam_from_world.center for image in place.model.images])
    truth = np.array([world.poses[NAMES[i.name]].center for i in place.model.images])
    ratio = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(8, 1)]
    ratio /= np.linalg.norm(truth[:, None] - truth, axis=2)[np.triu_indices(8, 1)]
    assert ratio.std() / ratio.mean() < 1e-3  # one scale explains all distances


def test_two_images_make_a_map(scene) -> None:
    world, config = scene
    arrays = {"a.png": world.image(0), "b.png": world.image(4)}
    reference = world.reference({"a.png": 0, "b.png": 4})
    cameras = dict.fromkeys(arrays, world.camera)
    for inputs in (MapInputs(reference=reference), MapInputs(cameras=cameras)):
        place = build_map(arrays, config, inputs=inputs, weights=NoWeights())
        assert len(place.model.images) == 2 and place.model.num_points > 200


def test_in_memory_images_give_the_same_map_as_files(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    arrays = {name: world.image(index) for name, index in NAMES.items()}
    places = [
        build_map(images, config, inputs=inputs, weights=NoWeights())
        for images in (tmp_path / "images", arrays)
    ]
    assert np.array_equal(places[0].model.xyz, places[1].model.xyz)


def test_wrong_poses_are_an_error_and_not_a_bad_map(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    of_another_image = dict(zip(NAMES, [3, 7, 0, 5, 1, 6, 2, 4], strict=True))
    inputs = MapInputs(reference=world.reference(of_another_image))
    with pytest.raises(MappingError, match="cam_from_world"):
        build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())


def test_other_settings_and_changed_images_are_refused(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    arguments = {"inputs": inputs, "output": tmp_path / "map", "weights": NoWeights()}
    first = build_map(tmp_path / "images", config, **arguments)
    again = build_map(tmp_path / "images", config, **arguments)
    assert first.fingerprint == again.fingerprint
    fewer = config.features.model_copy(update={"max_keypoints": 100})
    other = config.model_copy(update={"features": fewer})
    with pytest.raises(StaleArtefactError, match=first.fingerprint):
        build_map(tmp_path / "images", other, **arguments)
    world.write_images(tmp_path / "images", {"q.png": 8})
    with pytest.raises(StaleArtefactError, match=first.fingerprint):
        build_map(tmp_path / "images", config, **arguments)
    replaced = build_map(tmp_path / "images", config, overwrite=True, **arguments)
    assert replaced.fingerprint != first.fingerprint


def test_reports_why_an_image_is_not_registered(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    inputs = MapInputs(cameras=dict.fromkeys(NAMES, world.camera))
    place = build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights())
    entry = place.report["images"]["broken.png"]
    assert not entry["registered"] and "cannot read image" in entry["reason"]
    assert place.report["registered"] == len(NAMES)


def test_overwrite_keeps_what_still_fits(scene, tmp_path: Path, monkeypatch) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    arguments = {
        "inputs": MapInputs(reference=world.reference(NAMES)),
        "output": tmp_path / "map",
        "weights": NoWeights(),
        "keep_work": True,
    }
    build_map(tmp_path / "images", config, **arguments)
    seen = []
    original = type(world).features
    monkeypatch.setattr(
        type(world), "features", lambda self, i, n: seen.append(i) or original(self, i, n)
    )
    stricter = config.matching.model_copy(update={"max_ratio": 0.5})
    other = config.model_copy(update={"matching": stricter})
    with pytest.raises(StaleArtefactError):
        build_map(tmp_path / "images", other, **arguments)
    build_map(tmp_path / "images", other, overwrite=True, **arguments)
    assert seen == []  # the features are those of the first run
    world.write_images(tmp_path / "images", {"q.png": 8})
    build_map(tmp_path / "images", other, overwrite=True, **arguments)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 7, 8]


def test_saving_removes_what_a_killed_run_left(scene, tmp_path: Path) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    left = [tmp_path / "map/.new/.features.h5.0.partial", tmp_path / "map/.new/sfm/cameras.bin"]
    another = tmp_path / "map/another map/work/.shard.h5.0.partial"  # someone writes to it now
    for path in (*left, another):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    inputs = MapInputs(reference=world.reference(NAMES))
    build_map(
        tmp_path / "images", config, inputs=inputs, output=tmp_path / "map", weights=NoWeights()
    )
    assert not any(path.exists() for path in left) and another.exists()


def test_a_map_stays_if_its_successor_cannot_be_written(scene, tmp_path: Path, monkeypatch) -> None:
    world, config = scene
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    arguments = {"inputs": inputs, "output": tmp_path / "map", "weights": NoWeights()}
    first = build_map(tmp_path / "images", config, **arguments)

    def full(*_):
        raise HlocLiteError("the disk is full")

    monkeypatch.setattr("hloc_lite.maps.storage.write_bank", full)
    with pytest.raises(HlocLiteError, match="full"):
        build_map(tmp_path / "images", config, overwrite=True, **arguments)
    assert Map.open(tmp_path / "map").fingerprint == first.fingerprint


@pytest.mark.parametrize("name", ["features.h5", "retrieval.h5"])
def test_files_of_another_map_are_refused(scene, tmp_path: Path, name: str) -> None:
    world, config = scene
    fewer = config.features.model_copy(update={"max_keypoints": 200})
    other = config.model_copy(update={"features": fewer})
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    for each, folder in ((config, "map"), (other, "other")):
        build_map(
            tmp_path / "images", each, inputs=inputs, output=tmp_path / folder, weights=NoWeights()
        )
    (tmp_path / "other" / name).replace(tmp_path / "map" / name)
    with pytest.raises(FormatError, match=f"{name} belongs to another map"):
        Map.open(tmp_path / "map")
