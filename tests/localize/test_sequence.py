"""Sequences: frames of one camera with odometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.rig import make_rig_estimator
from hloc_lite.localize.sequence import Frame, Tracker
from hloc_lite.maps.map import Map
from hloc_lite.registry import Runtime
from hloc_lite.scene import median_scene_distance
from hloc_lite.types import LocalizationResult, Prior, Rigid3, Status
from tests.exact_scene import ExactScene, NoWeights
from tests.localize.localizers import make_localizer


def test_frames_with_too_few_matches_are_solved_with_those_before(
    scene: ExactScene, sfm_map: Map
) -> None:
    localizer = make_localizer(sfm_map)
    frames = [
        Frame(
            scene.image(index),
            scene.camera,
            None if index == 1 else scene.poses[index].compose(scene.poses[index - 1].inverse()),
        )
        for index in (1, 2, 3, 4, 5)
    ]
    alone = list(localizer.localize_sequence(frames))
    assert all(result.status is Status.LOCALIZED for result in alone)

    def localize(frame: Frame, prior: Prior | None) -> LocalizationResult:
        result = localizer.localize(frame.image, frame.camera, prior=prior)
        if frame is not frames[3]:
            return result
        return replace(result, pose=None, status=Status.DOUBTFUL)

    estimator = make_rig_estimator(sfm_map.config.pose, Runtime(NoWeights()))
    distance = median_scene_distance(sfm_map.model)
    tracker = Tracker(localize, estimator, distance, sfm_map.config.sequence)
    found = [tracker.next(frame) for frame in frames]
    assert found[3].status is Status.LOCALIZED and found[3].counts["frames"] == 4
    distance, angle_deg = pose_errors(found[3].pose.cam_from_world, scene.poses[4])
    assert distance < 1e-3 and angle_deg < 0.01
    assert found[3].confidence is None, "no confidence model is fitted for several frames"


@pytest.mark.parametrize(
    "from_last",
    [
        Rigid3(np.eye(3), np.full(3, np.nan)),
        Rigid3(np.eye(3), np.array([np.inf, 0, 0])),
        Rigid3(np.full((3, 3), np.nan), np.zeros(3)),
        Rigid3(3 * np.eye(3), np.zeros(3)),
        Rigid3(-np.eye(3), np.zeros(3)),
        "forward",
    ],
)
def test_odometry_that_is_no_motion_is_refused(from_last: object) -> None:
    with pytest.raises(ShapeError, match=r"Frame\.from_last"):
        Frame("photo.jpg", None, from_last)


def test_diverged_odometry_does_not_end_a_sequence(scene: ExactScene, sfm_map: Map) -> None:
    localizer = make_localizer(sfm_map)
    far = Rigid3(np.eye(3), np.array([1e153, 0, 0]))
    frames = [Frame(scene.image(3), scene.camera, far) for _ in range(3)]
    found = list(localizer.localize_sequence(frames))
    assert [result.status for result in found] == [Status.LOCALIZED] * 3
    with pytest.raises(ConfigError, match="expected a Frame"):
        list(localizer.localize_sequence([scene.image(3)]))
