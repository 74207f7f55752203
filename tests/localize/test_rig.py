"""Rigs: one pose from the photos of several cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.maps.map import Map
from hloc_lite.types import Prior, Rig, RigCamera, Rigid3, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import localizer_with, make_localizer


@pytest.fixture
def rig(scene: ExactScene) -> Rig:
    """Cameras 3, 5 and 7 of the scene; the frame of the rig is that of camera 3."""
    world_from_rig = scene.poses[3].inverse()
    return Rig(
        tuple(
            RigCamera(scene.camera, scene.poses[index].compose(world_from_rig))
            for index in (3, 5, 7)
        )
    )


def test_a_rig_is_localized_by_all_of_its_readable_photos(
    scene: ExactScene, sfm_map: Map, rig: Rig, tmp_path: Path
) -> None:
    localizer = make_localizer(sfm_map)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    result = localizer.localize_rig([scene.image(3), scene.image(5), broken], rig)
    assert result.status is Status.LOCALIZED
    distance, angle_deg = pose_errors(result.pose.rig_from_world, scene.poses[3])
    assert distance < 1e-4 and angle_deg < 1e-3
    assert list(result.unreadable) == ["2: broken.jpg"]
    assert result.reason.endswith("of 2 cameras agree; 1 photo could not be read")
    nothing = localizer.localize_rig([broken] * 3, rig)
    assert nothing.status is Status.UNREADABLE and nothing.pose is None
    with pytest.raises(ShapeError):
        localizer.localize_rig([scene.image(3)], rig)


def test_blank_photos_add_nothing_to_a_rig(scene: ExactScene, sfm_map: Map, rig: Rig) -> None:
    blank = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(0)))
    result = blank.localize_rig([scene.image(index) for index in (3, 5, 7)], rig)
    assert result.status is Status.TOO_FEW_MATCHES and result.pose is None
    assert result.reason.startswith("all cameras together have 0 matches with the map")
    assert [len(each) for each in result.correspondences] == [0, 0, 0]


def test_a_rig_far_from_its_prior_retrieves_nothing(
    scene: ExactScene, sfm_map: Map, rig: Rig
) -> None:
    localizer = make_localizer(sfm_map)
    images = [scene.image(index) for index in (3, 5, 7)]
    far = localizer.localize_rig(images, rig, prior=Prior(np.full(3, 999.0), 1.0))
    assert far.status is Status.TOO_FEW_MATCHES
    near = localizer.localize_rig(images, rig, prior=Prior(scene.poses[3].center, 1.0))
    assert near.status is Status.LOCALIZED


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_wrong_intrinsics_of_a_rig_are_named_and_its_pose_withheld(
    scene: ExactScene, sfm_map: Map, factor: float
) -> None:
    wrong = replace(scene.camera, params=scene.camera.params * (factor, 1, 1, 1))
    rig = Rig((RigCamera(wrong, Rigid3.identity()),))
    result = make_localizer(sfm_map).localize_rig([scene.image(3)], rig)
    assert result.status is Status.DOUBTFUL and result.pose is None
    assert result.reason.startswith("0: query: the intrinsics do not fit: f = ")


def test_intrinsics_of_a_rig_may_be_those_of_another_resolution(
    scene: ExactScene, sfm_map: Map
) -> None:
    features = scene.features(3, 1000)
    half = replace(features, keypoints=features.keypoints / 2, image_size=(160, 120))
    rig = Rig((RigCamera(scene.camera, Rigid3.identity()),))
    result = localizer_with(sfm_map, half).localize_rig([scene.image(3)[::2, ::2]], rig)
    assert result.pose is not None, result.reason
    distance, angle_deg = pose_errors(result.pose.rig_from_world, scene.poses[3])
    assert distance < 1e-3 and angle_deg < 0.01


def test_nothing_is_promised_for_rigs(scene: ExactScene, sfm_map: Map, rig: Rig) -> None:
    localizer = make_localizer(sfm_map, "confidence.max_wrong=0.05")
    with pytest.raises(ConfigError, match="rigs do not have"):
        localizer.localize_rig([scene.image(index) for index in (3, 5, 7)], rig)
