"""Rigs: one pose from the photos of several cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.errors import ShapeError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.maps.map import Map
from hloc_lite.types import Rig, RigCamera, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import make_localizer


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
