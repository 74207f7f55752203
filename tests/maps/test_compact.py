"""Compact maps: contents after a round trip, features of images, queries, and damaged files."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.maps.quantization import Coding
from hloc_lite.scene import keypoints_of
from hloc_lite.types import NO_POINT, Status
from pipelines.benchmarks.robustness.own_samples import reseal
from tests.exact_scene import MAP_NAMES, NoWeights, make_scene


@pytest.mark.parametrize("coding", [Coding.FLOAT16, Coding.INT8, Coding.PQ])
def test_round_trip(labelled_map: Map, tmp_path: Path, coding: Coding) -> None:
    full = labelled_map
    compress_map(full, tmp_path / "c", coding=coding)
    found = Map.open(tmp_path / "c")
    assert found.config == full.config and found.fingerprint == full.fingerprint
    assert found.weights == full.weights and found.global_names == full.global_names
    assert found.report == {key: v for key, v in full.report.items() if key != "images"}
    assert np.array_equal(found.model.point3D_ids, full.model.point3D_ids)
    assert np.array_equal(found.model.rgb, full.model.rgb)
    assert np.abs(found.model.xyz - full.model.xyz).max() < 1e-6
    assert np.allclose(found.model.errors_px, full.model.errors_px, rtol=1e-3, atol=1e-4)
    assert np.array_equal(found.landmark_labels.labels, full.landmark_labels.labels)
    assert np.allclose(found.landmark_labels.shares, full.landmark_labels.shares, atol=1e-3)
    assert np.array_equal(found.retrieval_state["learned"], np.ones((2, 3)))
    assert np.allclose(found.global_descriptors, full.global_descriptors, atol=0.01)
    assert [c.params.tolist() for c in found.model.cameras.values()] == [
        c.params.tolist() for c in full.model.cameras.values()
    ]
    for image in full.model.images:
        same = found.model.image_named(image.name)
        assert (same.image_id, same.camera_id) == (image.image_id, image.camera_id)
        assert np.array_equal(same.cam_from_world.rotation, image.cam_from_world.rotation)
        assert np.array_equal(same.cam_from_world.translation, image.cam_from_world.translation)
        observed = image.point3D_idxs != NO_POINT
        order = np.argsort(image.point3D_idxs[observed])
        assert np.array_equal(same.point3D_idxs, image.point3D_idxs[observed][order])
        errors = keypoints_of(found.model, same) - image.keypoints[observed][order]
        assert np.abs(errors).max() < 1e-3


def test_colmap_export_has_the_projected_keypoints(labelled_map: Map, tmp_path: Path) -> None:
    """Also if the map was reduced and opened again."""
    compress_map(labelled_map, tmp_path / "c")
    compress_map(Map.open(tmp_path / "c"), tmp_path / "part", max_bytes=20000)
    part = Map.open(tmp_path / "part").model
    assert all(image.keypoints is None for image in part.images)
    write_model(tmp_path / "sfm", part)
    found = read_model(tmp_path / "sfm")
    assert 40 < found.num_points < labelled_map.model.num_points
    for image in found.images:
        original = labelled_map.model.image_named(image.name)
        observed = original.point3D_idxs != NO_POINT
        ids = labelled_map.model.point3D_ids[original.point3D_idxs[observed]]
        keypoint_of = dict(zip(ids.tolist(), original.keypoints[observed], strict=True))
        expected = [keypoint_of[point] for point in found.point3D_ids[image.point3D_idxs].tolist()]
        assert len(expected) and np.abs(image.keypoints - expected).max() < 0.1


def test_features_of_an_image_are_its_landmarks(labelled_map: Map, tmp_path: Path) -> None:
    means = mean_descriptors(labelled_map)
    min_cosine = {}
    for coding in (Coding.FLOAT16, Coding.INT8, Coding.PQ):
        compress_map(labelled_map, tmp_path / coding, coding=coding)
        found = Map.open(tmp_path / coding)
        features = found.features["map 4.png"]
        image = found.model.image_named("map 4.png")
        assert len(features) == len(image.point3D_idxs) > 100
        assert features.image_size == (320, 240) and "map 4.png" in found.features
        assert "nothing" not in found.features and len(list(found.features)) == len(MAP_NAMES)
        expected, owners = means.rows_of(image.point3D_idxs)
        assert np.array_equal(owners, image.point3D_idxs)
        assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
        min_cosine[coding] = (features.descriptors * expected).sum(axis=1).min()
        assert found.landmark_descriptors.num_landmarks == found.model.num_points
    assert min_cosine[Coding.FLOAT16] > 1 - 1e-6 and min_cosine[Coding.INT8] > 1 - 1e-4
    assert min_cosine[Coding.PQ] > 0.5
    with pytest.raises(KeyError):
        found.features["nothing"]


@pytest.mark.parametrize("coding", [Coding.INT8, Coding.PQ])
def test_queries_are_localized_as_in_the_full_map(exact_map, tmp_path: Path, coding) -> None:
    scene, full = exact_map
    compress_map(full, tmp_path / "c", coding=coding)
    localizer = Localizer(Map.open(tmp_path / "c"), weights=NoWeights())
    for index in (3, 5):
        result = localizer.localize(scene.image(index), scene.camera)
        assert result.status is Status.LOCALIZED, result.reason
        assert pose_errors(result.pose.cam_from_world, scene.poses[index])[0] < 1e-3


@pytest.mark.parametrize(
    "name", ["landmarks/descriptors.npy", "images/landmarks.npy", "images/poses.npy", "map.json"]
)
def test_damaged_and_missing_files_are_refused_with_a_remedy(exact_map, tmp_path, name) -> None:
    compress_map(exact_map[1], tmp_path / "c")
    data = bytearray((tmp_path / "c" / name).read_bytes())
    data[-9] ^= 4
    (tmp_path / "c" / name).write_bytes(data)
    with pytest.raises(FormatError, match=f"{name}.*hloc-lite compress"):
        Map.open(tmp_path / "c")
    (tmp_path / "c" / name).unlink()
    with pytest.raises(FormatError, match=r"missing.*hloc-lite compress|no finished map"):
        Map.open(tmp_path / "c")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("images/poses", 3.0, "no rotation"),
        ("images/poses", np.nan, "finite numbers"),
        ("landmarks/xyz", np.inf, "finite numbers"),
    ],
)
def test_impossible_geometry_is_refused_though_checksums_fit(
    exact_map, tmp_path: Path, name: str, value: float, message: str
) -> None:
    compress_map(exact_map[1], tmp_path / "c")
    path = tmp_path / "c" / f"{name}.npy"
    array = np.load(path)
    array.flat[0] = value
    np.save(path, array)
    reseal(tmp_path / "c")
    with pytest.raises(FormatError, match=message):
        Map.open(tmp_path / "c")


def test_coordinates_far_from_the_origin_stay_exact(exact_map, tmp_path: Path) -> None:
    """Float32 resolves half a metre at the coordinates of a national grid."""
    scene, full = exact_map
    offset = np.array([5.1e6, -3.4e5, 120.0])
    images = []
    for image in full.model.images:
        pose = image.cam_from_world
        moved = replace(pose, translation=pose.translation - pose.rotation @ offset)
        images.append(replace(image, cam_from_world=moved))
    model = replace(full.model, images=tuple(images), xyz=full.model.xyz + offset)
    compress_map(replace(full, model=model), tmp_path / "c")
    found = Map.open(tmp_path / "c")
    assert np.abs(found.model.xyz - model.xyz).max() < 1e-6
    result = Localizer(found, weights=NoWeights()).localize(scene.image(3), scene.camera)
    center = result.pose.cam_from_world.center - offset
    assert np.linalg.norm(center - scene.poses[3].center) < 1e-3


def test_large_maps_open_fast(exact_map, tmp_path: Path) -> None:
    """100,000 landmarks and 400,000 observations in 480 images open in half a second."""
    _, full = exact_map
    rng = np.random.default_rng(0)
    num, pose = 100_000, full.model.images[0].cam_from_world
    points = pose.inverse().apply(rng.uniform((-2, -1, 5), (2, 1, 9), (num, 3)))
    images = []
    for i in range(480):
        observed = np.sort(rng.choice(num, 833, replace=False))
        images.append(
            replace(full.model.images[0], image_id=i, name=f"{i:04}.jpg",
                    keypoints=np.zeros((833, 2)), point3D_idxs=observed)
        )  # fmt: skip
    model = replace(full.model, images=tuple(images), point3D_ids=np.arange(num), xyz=points,
                    rgb=np.zeros((num, 3)), errors_px=np.ones(num))  # fmt: skip

    values = np.zeros((num, 128), np.int8)
    values[:, 0] = 1
    descriptors = replace(mean_descriptors(full), values=values, offsets=np.arange(num + 1))
    names = tuple(image.name for image in model.images)
    features = dict.fromkeys(names, make_scene().features(0, 0))
    features[names[0]] = replace(
        full.features["map 0.png"], keypoints=np.zeros((833, 2)), scores=np.zeros(833),
        descriptors=np.zeros((833, 128)),
    )  # fmt: skip
    large = replace(full, model=model, landmark_descriptors=descriptors, features=features,
                    global_names=names,
                    global_descriptors=np.eye(480, 1024, dtype=np.float32))  # fmt: skip
    compress_map(large, tmp_path / "c")
    seconds = []
    for _ in range(3):
        start = time.process_time()
        found = Map.open(tmp_path / "c")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5 and found.model.num_points > 95_000
