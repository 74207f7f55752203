"""``Localizer``: photos, names, intrinsics, fallback, several photos and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.geometry.cameras import focal_lengths, rescaled, with_focal
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, Photo, Prior, Status
from tests.exact_scene import MAP_NAMES, SIZE, ExactScene, NoWeights
from tests.localize.localizers import localizer_with, make_localizer


@pytest.fixture
def unreadable_file(tmp_path: Path) -> Path:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no image")
    return path


def test_no_retrieval_when_the_map_has_only_the_query_itself(
    scene: ExactScene, sfm_map: Map
) -> None:
    only = replace(sfm_map, global_names=("map 4.png",), global_descriptors=np.array([[1.0, 0.0]]))
    localizer = make_localizer(only)
    result = localizer.localize(scene.image(4), scene.camera, name="map 4.png", fallback=True)
    assert result.status is Status.NO_RETRIEVAL and result.pose is None
    assert result.fallback is None and "no image to compare" in result.reason
    assert localizer.localize(scene.image(4), scene.camera, name="x").status is Status.LOCALIZED


def test_a_query_with_the_name_of_a_map_image_is_not_matched_with_itself(
    scene: ExactScene, localizer: Localizer
) -> None:
    result = localizer.localize(scene.image(4), scene.camera, name="map 4.png")
    assert "map 4.png" not in result.hits.names and len(result.hits.names) == len(MAP_NAMES) - 1
    distance, _ = pose_errors(result.pose.cam_from_world, scene.poses[4])
    assert result.status is Status.LOCALIZED and distance < 1e-4


def test_only_a_given_name_identifies_the_query_with_a_map_image(
    scene: ExactScene, localizer: Localizer, tmp_path: Path
) -> None:
    """A file elsewhere that has the name of a map image by chance is another photo."""
    Image.fromarray(scene.image(4)).save(tmp_path / "map 4.png")
    result = localizer.localize(tmp_path / "map 4.png", scene.camera)
    assert result.query_name == "map 4.png" and result.hits.names[0] == "map 4.png"
    named = localizer.localize(tmp_path / "map 4.png", scene.camera, name="map 4.png")
    assert "map 4.png" not in named.hits.names
    photo = localizer.localize(Photo("map 4.png", scene.image(4)), scene.camera)
    assert "map 4.png" not in photo.hits.names


def test_the_fallback_is_marked_and_never_the_pose(scene: ExactScene, sfm_map: Map) -> None:
    localizer = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(3)))
    plain = localizer.localize(scene.image(3), scene.camera)
    assert plain.fallback is None and plain.fallback_name is None
    result = localizer.localize(scene.image(3), scene.camera, fallback=True)
    assert result.pose is None and result.status is Status.TOO_FEW_MATCHES
    assert result.fallback_name == result.hits.names[0]
    expected = sfm_map.model.image_named(result.fallback_name).cam_from_world
    assert result.fallback is expected
    good = make_localizer(sfm_map).localize(scene.image(3), scene.camera, fallback=True)
    assert good.status is Status.LOCALIZED and good.fallback is None


def test_queries_without_keypoints_get_the_fallback_too(scene: ExactScene, sfm_map: Map) -> None:
    localizer = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(0)))
    result = localizer.localize(scene.image(3), scene.camera, fallback=True)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    assert result.fallback_name == result.hits.names[0] and result.fallback is not None


def test_a_guessed_focal_length_is_estimated(scene: ExactScene, localizer: Localizer) -> None:
    guess = replace(with_focal(scene.camera, 500.0), has_prior_focal=False)
    result = localizer.localize(scene.image(3), guess)
    assert result.status is Status.LOCALIZED, result.reason
    assert abs(focal_lengths(result.pose.camera)[0] / 300.0 - 1) < 0.02
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 0.05


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_unknown_focal_lengths_are_estimated(
    scene: ExactScene, sfm_map: Map, factor: float
) -> None:
    pinhole = Camera("SIMPLE_PINHOLE", *SIZE, np.array([300.0, 160.0, 120.0]))
    true = with_focal(pinhole, factor * 300.0)
    localizer = localizer_with(sfm_map, replace(scene, camera=true).features(3, 1000))
    result = localizer.localize(scene.image(3))
    assert result.status is Status.LOCALIZED, result.reason
    focal = focal_lengths(result.pose.camera)[0]
    assert abs(focal / focal_lengths(true)[0] - 1) < 0.02
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 0.1


def test_intrinsics_of_another_resolution_are_rescaled(
    scene: ExactScene, localizer: Localizer
) -> None:
    double = rescaled(scene.camera, 2 * SIZE[0], 2 * SIZE[1])
    result = localizer.localize(scene.image(3), double)
    assert result.status is Status.LOCALIZED
    assert (result.pose.camera.width, result.pose.camera.height) == SIZE
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 1e-4


@pytest.mark.parametrize(
    ("camera", "reason"),
    [
        (Camera("SIMPLE_PINHOLE", 320, 320, np.array([300.0, 160, 160])), "the shapes differ"),
        (Camera("SIMPLE_PINHOLE", 240, 320, np.array([300.0, 120, 160])), "the shapes differ"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([np.nan, 160, 120])), "finite"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([-300.0, 160, 120])), "focal length"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([300.0, 160])), "3 parameters"),
        (Camera("SPIRAL", 320, 240, np.array([300.0, 160, 120])), "unknown camera model"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([300.0, 9e5, 120])), "principal point"),
        (Camera("SIMPLE_RADIAL", 320, 240, np.array([300.0, 160, 120, 100])), "stretches"),
        (Camera("SIMPLE_RADIAL", 320, 240, np.array([300.0, 160, 120, -3])), "not monotonic"),
    ],
)
def test_impossible_intrinsics_make_a_query_unreadable(
    scene: ExactScene, localizer: Localizer, camera: Camera, reason: str
) -> None:
    result = localizer.localize(scene.image(3), camera, fallback=True)
    assert result.status is Status.UNREADABLE and reason in result.reason
    assert result.pose is None and result.fallback is None


@pytest.mark.parametrize("camera", ["SIMPLE_PINHOLE 320 240 300 160 120", {"model": "PINHOLE"}, 5])
def test_intrinsics_of_another_type_are_an_error(
    scene: ExactScene, localizer: Localizer, camera: object
) -> None:
    with pytest.raises(ConfigError, match=r"expected a Camera.*parse_camera"):
        localizer.localize(scene.image(3), camera)


def test_files_that_are_no_photos_are_unreadable(
    scene: ExactScene, localizer: Localizer, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    for path in (tmp_path / "a.png", tmp_path / "missing.png", tmp_path):
        result = localizer.localize(path)
        assert result.status is Status.UNREADABLE and path.name in result.reason
    Image.fromarray(scene.image(3)).save(tmp_path / "good.png")
    result = localizer.localize(tmp_path / "good.png", scene.camera)
    assert result.status is Status.LOCALIZED and result.query_name == "good.png"


def test_mirrored_and_transposed_arrays_are_copied_into_row_order(scene: ExactScene) -> None:
    mirrored = np.ascontiguousarray(scene.image(3)[:, ::-1])[:, ::-1]
    fortran = np.asfortranarray(scene.image(3))
    for pixels in (mirrored, fortran):
        photo = Photo("x", pixels, mask=np.ones(pixels.shape[:2], bool)[::-1])
        assert all(stride > 0 for stride in (*photo.pixels.strides, *photo.mask.strides))
        assert np.array_equal(photo.pixels, scene.image(3)) and photo.pixels.flags.c_contiguous


def test_the_same_query_gives_the_same_bytes(scene: ExactScene, sfm_map: Map) -> None:
    found = [
        Localizer(sfm_map, weights=NoWeights()).localize(scene.image(5), scene.camera)
        for _ in range(2)
    ]
    poses = [result.pose.cam_from_world for result in found]
    assert np.array_equal(poses[0].translation, poses[1].translation)
    assert np.array_equal(found[0].pose.covariance, found[1].pose.covariance)


def test_a_batch_keeps_its_order_and_threads_give_equal_poses(
    scene: ExactScene, localizer: Localizer, unreadable_file: Path
) -> None:
    images = [scene.image(3), unreadable_file, scene.image(5)]
    results = list(localizer.localize_batch(images, [scene.camera] * 3))
    statuses = [result.status for result in results]
    assert statuses == [Status.LOCALIZED, Status.UNREADABLE, Status.LOCALIZED]
    with ThreadPoolExecutor(8) as pool:
        again = list(
            pool.map(lambda _: localizer.localize(scene.image(5), scene.camera), range(24))
        )
    expected = results[2].pose.cam_from_world.translation
    for result in again:
        assert np.array_equal(result.pose.cam_from_world.translation, expected)
    with pytest.raises(ShapeError, match="1 cameras for 3 images"):
        list(localizer.localize_batch(images, [scene.camera]))


def test_gravity_that_cannot_be_compared_is_said(scene: ExactScene, localizer: Localizer) -> None:
    down = np.array([0.0, 1.0, 0.0])
    unknown, known = (
        localizer.localize(scene.image(7), scene.camera, prior=prior)
        for prior in (
            Prior(gravity_in_cam=down),
            Prior(gravity_in_cam=down, gravity_in_world=down, gravity_tolerance_deg=180),
        )
    )
    assert unknown.status is known.status is Status.LOCALIZED
    assert "gravity not compared: gravity in the map is unknown" in unknown.reason
    assert "not compared" not in known.reason
