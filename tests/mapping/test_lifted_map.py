"""Maps from depth: exact landmarks from every keypoint, and lies about depth are told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, FormatError, MappingError
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.types import NO_POINT, DepthMap, Rigid3
from tests.depth_scene import SurfaceDepth, make_depth_scene, unchanged
from tests.exact_scene import ExactScene, use_scene
from tests.weights_stores import NoWeights

NAMES = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
Fault = Callable[[str, DepthMap], DepthMap]


@contextmanager
def lifted_map(
    fault: Fault | None = unchanged, **settings: object
) -> Iterator[tuple[ExactScene, Map]]:
    """Map of the surface from depth with a fault; from tracks alone for None."""
    with pytest.MonkeyPatch.context() as patch:
        scene = make_depth_scene()
        config = use_scene(patch, scene)
        config = config.model_copy(update={"lifting": config.lifting.model_copy(update=settings)})
        images = {name: scene.image(index) for name, index in NAMES.items()}
        depth = None if fault is None else SurfaceDepth(scene, NAMES, fault)
        inputs = MapInputs(reference=scene.reference(NAMES), metric=True, depth=depth)
        yield scene, build_map(images, config, inputs=inputs, weights=NoWeights())


def true_points(scene: ExactScene, sfm_map: Map, name: str) -> np.ndarray:
    """(N, 3) point that each keypoint of an image shows."""
    descriptors = sfm_map.features[name].descriptors
    return scene.points[np.argmax(descriptors @ scene.descriptors.T, axis=1)]


def test_every_keypoint_becomes_a_landmark_at_its_place() -> None:
    with lifted_map(min_image_landmarks=10000) as (scene, sfm_map):
        assert sfm_map.landmark_sigmas is not None
        for image in sfm_map.model.images:
            points = image.point3D_idxs
            assert (points != NO_POINT).mean() > 0.95
            known = points != NO_POINT
            xyz = sfm_map.model.xyz[points[known]]
            errors = np.linalg.norm(xyz - true_points(scene, sfm_map, image.name)[known], axis=1)
            assert np.median(errors) < 2e-3 and errors.max() < 0.05
            assert (errors < 5 * sfm_map.landmark_sigmas[points[known]] + 1e-6).all()
    with lifted_map(None) as (_, from_tracks):
        assert from_tracks.landmark_sigmas is None
        assert sfm_map.model.num_points > from_tracks.model.num_points


def test_matched_keypoints_are_one_landmark() -> None:
    with lifted_map(min_image_landmarks=10000) as (scene, sfm_map):
        report = sfm_map.report["depth"]
        seen = [set(map(tuple, true_points(scene, sfm_map, name))) for name in NAMES]
        num_points = len(set.union(*seen))
        # almost no point is a landmark twice
        assert num_points <= sfm_map.model.num_points < 1.05 * num_points
        assert report["landmarks_of_several"] > 5 * report["landmarks_of_one_image"]
        counts = np.concatenate([i.point3D_idxs for i in sfm_map.model.images])
        errors = sfm_map.model.errors_px
        single = np.bincount(counts[counts != NO_POINT]) == 1
        assert (errors[single] == -1).all() and (errors[~single] >= 0).all()


def test_queries_are_localized_in_it(tmp_path: Path) -> None:
    with lifted_map() as (scene, sfm_map):
        sfm_map.save(tmp_path / "map")
        compress_map(sfm_map, tmp_path / "compact")
        for each in (sfm_map, Map.open(tmp_path / "map"), Map.open(tmp_path / "compact")):
            result = Localizer(each, weights=NoWeights()).localize(scene.image(3), scene.camera)
            assert result.pose is not None
            center = result.pose.cam_from_world.center
            assert np.linalg.norm(center - scene.poses[3].center) < 5e-3


def test_standard_deviations_are_kept(tmp_path: Path) -> None:
    with lifted_map() as (_, sfm_map):
        sfm_map.save(tmp_path / "map")
        compress_map(sfm_map, tmp_path / "compact")
        assert sfm_map.landmark_sigmas is not None and (sfm_map.landmark_sigmas > 0).all()
        full, compact = Map.open(tmp_path / "map"), Map.open(tmp_path / "compact")
        np.testing.assert_array_equal(full.landmark_sigmas, sfm_map.landmark_sigmas)
        assert compact.landmark_sigmas is not None
        np.testing.assert_allclose(compact.landmark_sigmas, sfm_map.landmark_sigmas, rtol=1e-3)
        with pytest.raises(FormatError, match="standard deviations of shape"):
            replace(sfm_map, landmark_sigmas=np.ones(3, np.float32))


@pytest.mark.parametrize("scale", [1.3, 1000.0, 0.001])
def test_other_units_are_refused(scale: float) -> None:
    def scaled(_: str, found: DepthMap) -> DepthMap:
        return replace(found, depths=found.depths * np.float32(scale))

    message = f"it is {scale:.4g}.* times .*lifting.integer_step"
    with pytest.raises(MappingError, match=message), lifted_map(scaled):
        pass


def test_a_small_error_of_the_sensor_is_corrected_and_reported() -> None:
    def biased(_: str, found: DepthMap) -> DepthMap:
        return replace(found, depths=0.05 + found.depths * np.float32(1.02))

    with lifted_map(biased) as (scene, sfm_map):
        correction = sfm_map.report["depth"]["check"]["correction"]
        assert correction["factor"] == pytest.approx(1 / 1.02, abs=0.01)
        image = sfm_map.model.images[0]
        known = image.point3D_idxs != NO_POINT
        xyz = sfm_map.model.xyz[image.point3D_idxs[known]]
        errors = np.linalg.norm(xyz - true_points(scene, sfm_map, image.name)[known], axis=1)
        assert np.median(errors) < 0.01


def test_rooms_that_look_alike_need_not_overlap() -> None:
    """Most images match those of another room; a few confirm the poses, and depth does the rest."""
    with pytest.MonkeyPatch.context() as patch:
        scene = make_depth_scene()
        config = use_scene(patch, scene)
        twins = {f"room {number}.png": number for number in range(10)}
        names = {**NAMES, **twins}
        reference = scene.reference(names)
        far = {name: Rigid3(np.eye(3), [100.0 * (1 + k), 0, 0]) for k, name in enumerate(twins)}
        images = tuple(
            replace(each, cam_from_world=each.cam_from_world.compose(far[each.name].inverse()))
            if each.name in far
            else each
            for each in reference.images
        )
        inputs = MapInputs(
            reference=replace(reference, images=images), metric=True,
            depth=SurfaceDepth(scene, names, unchanged),
        )  # fmt: skip
        photos = {name: scene.image(index) for name, index in names.items()}
        sfm_map = build_map(photos, config, inputs=inputs, weights=NoWeights())
        assert len(sfm_map.model.images) == len(names)
        swapped = dict(zip(names, reversed([each.cam_from_world for each in images]), strict=True))
        wrong = tuple(replace(each, cam_from_world=swapped[each.name]) for each in images)
        inputs = replace(inputs, reference=replace(reference, images=wrong))
        with pytest.raises(MappingError, match=r"not fit the (images|photos)"):
            build_map(photos, config, inputs=inputs, weights=NoWeights())


def test_depth_of_another_image_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def flat(name: str, found: DepthMap) -> DepthMap:
        wrong = np.full_like(found.depths, 3.0)
        return replace(found, depths=wrong) if name == "map 4.png" else found

    with caplog.at_level(logging.WARNING), lifted_map(flat) as (_, sfm_map):
        assert list(sfm_map.report["depth"]["check"]["refused"]) == ["map 4.png"]
        assert sfm_map.report["depth"]["images_used"] == len(NAMES) - 1
    assert any("'map 4.png'" in message and "not used" in message for message in caplog.messages)


def test_depth_of_other_images_everywhere_is_refused() -> None:
    def mirrored(_: str, found: DepthMap) -> DepthMap:
        noise = np.random.default_rng(0).uniform(2, 12, (6, 8))
        blocks = np.kron(noise, np.ones((20, 20))).astype(np.float32)
        return replace(found, depths=blocks)

    with pytest.raises(MappingError, match="does not fit the photos"), lifted_map(mirrored):
        pass


def test_shifted_depth_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def shifted(_: str, found: DepthMap) -> DepthMap:
        moved = np.full_like(found.depths, np.nan)
        moved[:, 5:] = found.depths[:, :-5]  # 10 px of the photo, 3 % of its side
        return replace(found, depths=moved)

    with caplog.at_level(logging.WARNING), lifted_map(shifted) as (_, sfm_map):
        moved = sfm_map.report["depth"]["check"]["unregistered"]
        assert moved["x"] == pytest.approx(10 / 320, abs=0.01)
    assert any("do not lie over the photos" in message for message in caplog.messages)


def test_holes_cost_landmarks_and_nothing_else() -> None:
    rng = np.random.default_rng(0)

    def with_holes(_: str, found: DepthMap) -> DepthMap:
        holes = rng.random((12, 16)) < 0.6
        wide = np.kron(holes, np.ones((10, 10), bool))
        return replace(found, depths=np.where(wide, np.float32(np.nan), found.depths))

    with lifted_map(with_holes) as (scene, sfm_map):
        assert 0.2 < sfm_map.report["depth"]["lifted_share"] < 0.5
        for image in sfm_map.model.images:
            known = image.point3D_idxs != NO_POINT
            xyz = sfm_map.model.xyz[image.point3D_idxs[known]]
            errors = np.linalg.norm(xyz - true_points(scene, sfm_map, image.name)[known], axis=1)
            assert np.quantile(errors, 0.95) < 0.02


def test_images_with_enough_shared_landmarks_get_none_of_their_own() -> None:
    with lifted_map(min_image_landmarks=0) as (_, sfm_map):
        points = np.concatenate([i.point3D_idxs for i in sfm_map.model.images])
        assert (np.bincount(points[points != NO_POINT]) >= 2).all()
        assert sfm_map.landmark_sigmas is not None
        assert len(sfm_map.landmark_sigmas) == sfm_map.model.num_points


def test_no_depth_at_all_and_no_poses_are_refused() -> None:
    class Nothing:
        def depth_of(self, image_name: str) -> DepthMap | None:
            return None

    with pytest.raises(ConfigError, match="needs known poses"):
        MapInputs(depth=Nothing())
    with pytest.MonkeyPatch.context() as patch:
        scene = make_depth_scene()
        config = use_scene(patch, scene)
        images = {name: scene.image(index) for name, index in NAMES.items()}
        inputs = MapInputs(reference=scene.reference(NAMES), depth=Nothing())
        with pytest.raises(MappingError, match="none of the 6 images has a depth image"):
            build_map(images, config, inputs=inputs, weights=NoWeights())


def test_settings_of_lifting_leave_maps_without_depth_as_they_are() -> None:
    changed = load_config(settings=["lifting.window_px=3"])
    assert changed.lifting.window_px == 3
