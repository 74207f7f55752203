"""``build_map`` of an exact scene: the answer is known to numerical precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import Config, ImagesConfig
from hloc_lite.errors import HlocLiteError, MappingError, StaleArtefactError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.io.pycolmap_adapter import has_global_mapper
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.own_photos import hash_file
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.maps.map import Map
from hloc_lite.types import Status
from tests.exact_scene import ExactScene, NoWeights

NAMES = {
    "straße 1/bild (1).png": 0, "straße 1/bild (2).png": 1, "b/x.png": 2, "c/x.png": 3,
    "a-b/c.png": 4, "a/b-c.png": 5, "q.png": 6, "r s.png": 7,
}  # fmt: skip


@pytest.fixture
def build(exact_scene, tmp_path: Path):
    """Function that builds a map of the images ``NAMES`` with known poses."""
    scene, default_config = exact_scene
    scene.write_images(tmp_path / "images", NAMES)
    reference = MapInputs(reference=scene.reference(NAMES))

    def build(config=default_config, inputs=reference, **options) -> Map:
        return build_map(tmp_path / "images", config, inputs=inputs, weights=NoWeights(), **options)

    return build


def test_known_poses_give_exact_points_and_query_poses(build, exact_scene, tmp_path) -> None:
    scene, _ = exact_scene
    built = build(output=tmp_path / "map")
    assert [image.name for image in built.model.images] == sorted(NAMES)
    assert built.model.num_points > 250
    distances = np.linalg.norm(built.model.xyz[:, None] - scene.points[None], axis=2).min(axis=1)
    assert np.median(distances) < 1e-5 and distances.max() < 1e-3  # keypoints are float32
    localizer = Localizer(Map.open(tmp_path / "map"), weights=NoWeights())
    for index in (8, 9):
        result = localizer.localize(scene.image(index), scene.camera, name=f"query {index}")
        assert result.status is Status.LOCALIZED, result.reason
        distance, angle_deg = pose_errors(result.pose.cam_from_world, scene.poses[index])
        assert distance < 1e-4 and angle_deg < 1e-3
        # matching of queries is permissive: a few matches are wrong
        assert result.pose.num_inliers > 0.98 * len(result.correspondences)
        pairs = np.stack(
            [result.correspondences.keypoint_idxs, result.correspondences.point3D_idxs], axis=1
        )
        assert len(np.unique(pairs, axis=0)) == len(pairs)


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_mapper_registers_all_images_up_to_a_similarity(build, exact_scene, mapper: str) -> None:
    if mapper == "global" and not has_global_mapper():
        pytest.skip("this pycolmap has no global mapper")
    scene, config = exact_scene
    changed = config.mapping.model_copy(update={"mapper": mapper})
    config = config.model_copy(update={"mapping": changed})
    built = build(config, MapInputs(cameras=dict.fromkeys(NAMES, scene.camera)))
    assert len(built.model.images) == len(NAMES)
    centers = np.array([image.cam_from_world.center for image in built.model.images])
    truth = np.array([scene.poses[NAMES[i.name]].center for i in built.model.images])
    ratio = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(8, 1)]
    ratio /= np.linalg.norm(truth[:, None] - truth, axis=2)[np.triu_indices(8, 1)]
    assert ratio.std() / ratio.mean() < 1e-3  # one scale explains all distances


def test_two_images_make_a_map(exact_scene) -> None:
    scene, config = exact_scene
    arrays = {"a.png": scene.image(0), "b.png": scene.image(4)}
    reference = scene.reference({"a.png": 0, "b.png": 4})
    cameras = dict.fromkeys(arrays, scene.camera)
    for inputs in (MapInputs(reference=reference), MapInputs(cameras=cameras)):
        built = build_map(arrays, config, inputs=inputs, weights=NoWeights())
        assert len(built.model.images) == 2 and built.model.num_points > 200


def test_photos_of_a_map_with_masks_are_recorded_by_their_files(
    build, exact_scene, tmp_path
) -> None:
    (tmp_path / "masks").mkdir()
    white = np.full(exact_scene[0].image(0).shape[:2], 255, np.uint8)
    Image.fromarray(white).save(tmp_path / "masks/q.png.png")
    inputs = MapInputs(reference=exact_scene[0].reference(NAMES), masks=tmp_path / "masks")
    recorded = build(inputs=inputs).report["images"]["q.png"]["photo"]
    assert recorded == hash_file(tmp_path / "images/q.png", ImagesConfig())


def test_arrays_give_the_same_map_as_files(build, exact_scene) -> None:
    scene, config = exact_scene
    inputs = MapInputs(reference=scene.reference(NAMES))
    arrays = {name: scene.image(index) for name, index in NAMES.items()}
    from_arrays = build_map(arrays, config, inputs=inputs, weights=NoWeights())
    assert np.array_equal(build().model.xyz, from_arrays.model.xyz)


def test_other_settings_and_changed_images_are_refused(build, exact_scene, tmp_path) -> None:
    scene, config = exact_scene
    output = tmp_path / "map"
    first = build(output=output)
    assert build(output=output).fingerprint == first.fingerprint
    fewer = config.features.model_copy(update={"max_keypoints": 100})
    with pytest.raises(StaleArtefactError, match=first.fingerprint):
        build(config.model_copy(update={"features": fewer}), output=output)
    scene.write_images(tmp_path / "images", {"q.png": 8})
    with pytest.raises(StaleArtefactError, match=first.fingerprint):
        build(output=output)
    assert build(output=output, overwrite=True).fingerprint != first.fingerprint


def test_overwrite_keeps_results_that_still_fit(
    build, exact_scene, tmp_path: Path, monkeypatch
) -> None:
    scene, config = exact_scene
    options = {"output": tmp_path / "map", "keep_work": True}
    build(**options)
    extracted = []
    original = type(scene).features
    monkeypatch.setattr(
        type(scene), "features", lambda self, i, n: extracted.append(i) or original(self, i, n)
    )
    stricter = config.matching.model_copy(update={"max_ratio": 0.5})
    other = config.model_copy(update={"matching": stricter})
    with pytest.raises(StaleArtefactError):
        build(other, **options)
    build(other, overwrite=True, **options)
    assert extracted == []
    scene.write_images(tmp_path / "images", {"q.png": 8})
    build(other, overwrite=True, **options)
    assert sorted(extracted) == [0, 1, 2, 3, 4, 5, 7, 8]


def test_another_list_of_pairs_makes_another_map(build, exact_scene, tmp_path: Path) -> None:
    config, listed = exact_scene[1], tmp_path / "pairs.txt"
    pairs = config.pairs.model_copy(update={"spec": str(listed)})
    config = config.model_copy(update={"pairs": pairs})
    listed.write_text("b/x.png c/x.png\nb/x.png a-b/c.png\nb/x.png q.png\n")
    assert build(config, output=tmp_path / "map").report["pairs_tried"] == 3
    listed.write_text(f"{listed.read_text()}b/x.png a/b-c.png\n")
    with pytest.raises(HlocLiteError, match="other settings, weights or images"):
        build(config, output=tmp_path / "map")
    again = build(config, output=tmp_path / "map", overwrite=True)
    assert again.report["pairs_tried"] == 4


def test_report_says_why_an_image_is_missing(build, exact_scene, tmp_path: Path) -> None:
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    built = build(inputs=MapInputs(cameras=dict.fromkeys(NAMES, exact_scene[0].camera)))
    entry = built.report["images"]["broken.png"]
    assert not entry["registered"] and "cannot read image" in entry["reason"]
    assert built.report["registered"] == len(NAMES)


def test_unusable_arrays_are_left_out_with_a_reason(exact_scene) -> None:
    scene, config = exact_scene
    names = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}
    arrays = {name: scene.image(index) for name, index in names.items()}
    arrays["f.png"] = np.zeros((0, 0, 3), np.uint8)
    inputs = MapInputs(reference=scene.reference({**names, "f.png": 9}))
    built = build_map(arrays, config, inputs=inputs, weights=NoWeights())
    assert "got uint8 (0, 0, 3)" in built.report["images"]["f.png"]["reason"]
    assert built.report["registered"] == len(names)
    with pytest.raises(MappingError, match=r"at least 2 images that can be used, got 1$"):
        build_map({"a.png": arrays["a.png"]}, config, weights=NoWeights())
    with pytest.raises(MappingError, match=r"got 1 \(1 other skipped: 'f.png': expected an array"):
        build_map({n: arrays[n] for n in ("a.png", "f.png")}, config, weights=NoWeights())


def with_fewer_keypoints(config: Config) -> Config:
    fewer = config.features.model_copy(update={"max_keypoints": 100})
    return config.model_copy(update={"features": fewer})


def stop_at_reconstruction(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("hloc_lite.mapping.build.build_models", stop)


def test_a_map_of_other_settings_is_refused_by_their_names(build, exact_scene, tmp_path) -> None:
    _, config = exact_scene
    build(output=tmp_path / "map")
    expected = rf"features.max_keypoints: {config.features.max_keypoints} there, 100 asked"
    with pytest.raises(StaleArtefactError, match=expected):
        build(with_fewer_keypoints(config), output=tmp_path / "map")


def test_leftovers_of_a_failed_run_do_not_block_other_settings(
    build, exact_scene, tmp_path, monkeypatch, caplog
) -> None:
    _, config = exact_scene
    with monkeypatch.context() as patched, pytest.raises(MappingError, match="no image"):
        stop_at_reconstruction(patched, MappingError("no image could be registered"))
        build(output=tmp_path / "map")
    assert build(with_fewer_keypoints(config), output=tmp_path / "map").model.num_points > 0
    assert "run that failed (no image could be registered) are replaced" in caplog.text


@pytest.mark.parametrize("failed_before", [False, True])
def test_the_work_of_an_interrupted_run_is_kept(
    build, exact_scene, tmp_path, monkeypatch, failed_before
) -> None:
    """Also if the same run had failed before: it may have been mended meanwhile."""
    _, config = exact_scene
    errors = [MappingError("failed")] * failed_before + [KeyboardInterrupt()]
    for error in errors:
        with monkeypatch.context() as patched, pytest.raises(type(error)):
            stop_at_reconstruction(patched, error)
            build(output=tmp_path / "map")
    with pytest.raises(StaleArtefactError, match=r"features.max_keypoints: .* there, 100 asked"):
        build(with_fewer_keypoints(config), output=tmp_path / "map")
    assert build(output=tmp_path / "map").model.num_points > 0


def test_two_photos_that_do_not_overlap_are_told_to_be_too_few(exact_scene, monkeypatch) -> None:
    scene, config = exact_scene
    scratch = config.scratch.model_copy(update={"fallback_features": "none"})
    behind = replace(scene, descriptors=-scene.descriptors)
    arrays = {"a.png": scene.image(0), "b.png": scene.image(4)}
    original = ExactScene.features
    monkeypatch.setattr(
        ExactScene, "features",
        lambda self, index, number: original(behind if index == 4 else scene, index, number),
    )  # fmt: skip
    with pytest.raises(MappingError, match=r"2 photos make a map only if.*take 3 or more"):
        build_map(arrays, config.model_copy(update={"scratch": scratch}), weights=NoWeights())


def test_a_map_made_of_a_georeferenced_one_has_its_georeference(
    build, exact_scene, tmp_path
) -> None:
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 1.0, 1.0, "positions", (0.0, 1.0))
    known = Georeference(48.0, 11.0, 5.0, Similarity3(0.5, np.eye(3), np.zeros(3)), quality)
    inputs = MapInputs(reference=exact_scene[0].reference(NAMES), georeference=known)
    assert build(inputs=inputs).metres_per_unit == 0.5
    build(inputs=inputs, output=tmp_path / "map")
    assert Map.open(tmp_path / "map").metres_per_unit == 0.5


def test_other_models_are_named_only_where_they_are_kept(
    exact_scene, monkeypatch, tmp_path
) -> None:
    scene, config = exact_scene
    elsewhere = replace(scene, descriptors=-scene.descriptors)
    original = ExactScene.features
    monkeypatch.setattr(
        ExactScene, "features",
        lambda self, index, number: original(elsewhere if index > 5 else scene, index, number),
    )  # fmt: skip
    off = config.scratch.model_copy(update={"fallback_features": "none"})
    arrays = {f"{index}.png": scene.image(index) for index in range(10)}
    inputs = MapInputs(cameras=dict.fromkeys(arrays, scene.camera))
    options = {"inputs": inputs, "weights": NoWeights()}
    built = build_map(arrays, config.model_copy(update={"scratch": off}), **options)
    assert [each["folder"] for each in built.report["models"]] == [".", None]
    assert "kept if the map has an output folder" in built.report["images"]["9.png"]["reason"]
    built = build_map(
        arrays, config.model_copy(update={"scratch": off}), output=tmp_path / "map", **options
    )
    assert [each["folder"] for each in built.report["models"]] == [".", "models/1"]
    assert len(Map.open(tmp_path / "map/models/1").model.images) == 4
    assert "models/1 of the map" in built.report["images"]["9.png"]["reason"]
