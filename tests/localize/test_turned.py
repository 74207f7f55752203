"""Photos that lie on their side: the pose is that of the photo as it was given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.localize.quarter_turns import turned_back, turned_photo
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, Float32, LocalFeatures, Photo, Rigid3, Status
from tests.exact_scene import SIZE, ExactScene
from tests.localize.exact_maps import QUERY
from tests.localize.localizers import make_localizer

CCW = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Camera axes of a photo turned once counter-clockwise, from those of the photo."""


class UprightOnly:
    """Extractor and descriptor that know the scene only in upright photos of the query."""

    def __init__(self, scene: ExactScene, similarity: float = 0.0) -> None:
        self.scene, self.descriptor_dim = scene, scene.descriptors.shape[1]
        self.angle = np.arccos(similarity)
        self.num_extracted = 0

    def is_upright(self, photo: Photo) -> bool:
        return bool((photo.pixels[4, 4] == 200).all())

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        return [self.features(photo) for photo in photos]

    def features(self, photo: Photo) -> LocalFeatures:
        self.num_extracted += 1
        found = self.scene.features(QUERY, 1000)
        if self.is_upright(photo):
            return found
        rng = np.random.default_rng(0)
        size = (photo.width, photo.height)
        others = rng.standard_normal(found.descriptors.shape)
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        return LocalFeatures(rng.uniform(0, 240, (len(found), 2)), others, found.scores, size)

    def load_state(self, state: object) -> None:
        pass

    def describe(self, photos: Sequence[Photo]) -> Float32:
        angles = [0.1 * QUERY + (0 if self.is_upright(p) else self.angle) for p in photos]
        return np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32)


def turned_camera(camera: Camera, turns: int) -> Camera:
    for _ in range(turns % 4):
        focal, cx, cy, k = camera.params
        params = np.array([focal, cy, camera.width - cx, k])
        camera = Camera(camera.model, camera.height, camera.width, params)
    return camera


def lying(turns: int) -> Photo:
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:8, :8] = 200
    return turned_photo(Photo("q", pixels), turns)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_pose_is_of_the_photo_as_given(mapped: tuple[ExactScene, Map], turns: int) -> None:
    scene, sfm_map = mapped
    stand_in = UprightOnly(scene)
    localizer = make_localizer(sfm_map, extractor=stand_in, global_descriptor=stand_in)
    camera = turned_camera(scene.camera, turns)
    result = localizer.localize(lying(turns), camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    turn = np.linalg.matrix_power(CCW, turns)
    true = Rigid3(turn @ scene.poses[QUERY].rotation, turn @ scene.poses[QUERY].translation)
    found = result.pose.cam_from_world
    assert np.abs(found.rotation - true.rotation).max() < 1e-6
    assert np.abs(found.translation - true.translation).max() < 1e-5
    assert result.pose.camera is camera or np.array_equal(result.pose.camera.params, camera.params)
    assert result.features is not None
    assert result.features.image_size == (camera.width, camera.height)
    assert result.correspondences is not None
    inliers = result.correspondences.subset(result.pose.inlier_mask)
    assert len(inliers) > 300
    projected = img_from_cam(camera, true.apply(inliers.points3D))
    assert np.abs(projected - inliers.points2D).max() < 0.01
    words = {0: "agree", 1: "side: turned by 90 degrees clockwise", 2: "upside down", 3: "counter"}
    assert words[turns] in result.reason
    assert ("turned" in result.reason) == (turns > 0)


def test_only_what_retrieval_sees_as_turned_is_tried(mapped: tuple[ExactScene, Map]) -> None:
    scene, sfm_map = mapped
    alike = UprightOnly(scene, similarity=0.95)
    localizer = make_localizer(sfm_map, extractor=alike, global_descriptor=alike)
    assert localizer.localize(lying(1), turned_camera(scene.camera, 1)).pose is None
    assert alike.num_extracted == 1
    off = UprightOnly(scene)
    localizer = make_localizer(
        sfm_map, "localize.turn_failed=false", extractor=off, global_descriptor=off
    )
    assert localizer.localize(lying(1), turned_camera(scene.camera, 1)).pose is None
    assert off.num_extracted == 1


def test_the_time_budget_holds(mapped: tuple[ExactScene, Map]) -> None:
    scene, sfm_map = mapped
    stand_in = UprightOnly(scene)
    localizer = make_localizer(sfm_map, extractor=stand_in, global_descriptor=stand_in)
    result = localizer.localize(lying(1), turned_camera(scene.camera, 1), budget_ms=0.0)
    assert result.pose is None and stand_in.num_extracted == 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (7, 1, 3)])
def test_turned_photos_of_one_row_or_column_suit_torch(shape: tuple[int, int, int]) -> None:
    photo = Photo("line", np.zeros(shape, np.uint8), np.ones(shape[:2], bool))
    for turns in range(4):
        turned = turned_photo(photo, turns)
        assert turned.mask is not None
        assert min(*turned.pixels.strides, *turned.mask.strides) > 0


@given(st.integers(0, 7), st.integers(1, 9), st.integers(1, 9))
def test_keypoints_turn_with_the_pixels(turns: int, width: int, height: int) -> None:
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    photo = Photo("a", pixels, mask=pixels[..., 0] % 2 == 0)
    turned = turned_photo(photo, turns)
    y, x = (axis.ravel() for axis in np.indices((turned.height, turned.width)))
    no_descriptors = np.zeros((len(x), 1))
    found = LocalFeatures(
        np.stack([x, y], 1) + 0.5, no_descriptors, no_descriptors[:, 0],
        (turned.width, turned.height), orientations_rad=np.zeros(len(x)),
    )  # fmt: skip
    back = turned_back(found, turns)
    columns, rows = (back.keypoints - 0.5).astype(int).T
    assert back.image_size == (width, height)
    assert np.array_equal(photo.pixels[rows, columns], turned.pixels[y, x])
    assert photo.mask is not None and turned.mask is not None
    assert np.array_equal(photo.mask[rows, columns], turned.mask[y, x])
    assert np.allclose(turned_back(back, -turns).keypoints, found.keypoints)
    # a keypoint that points to the right neighbour still does
    assert back.orientations_rad is not None
    if turned.width > 1 and turns % 4 == 1:
        assert np.allclose(back.orientations_rad, np.pi / 2)
