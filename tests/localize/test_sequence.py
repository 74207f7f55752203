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
from hloc_lite.types import Camera, LocalizationResult, PoseEstimate, Prior, Rigid3, Status
from tests.exact_scene import ExactScene, NoWeights
from tests.localize.localizers import localizer_with, make_localizer


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
    tracker = Tracker(localize, estimator, localizer.pipeline.verifier, distance, sfm_map.config)
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


def solved_together(
    scene: ExactScene, sfm_map: Map, camera: Camera, *settings: str, scale: int = 1
) -> PoseEstimate | None:
    """Pose of the last of three photos of one place, of which none gets a pose by itself.

    Args:
        scale: factor by which the photos are smaller than their intrinsics say.
    """
    features, image = scene.features(3, 1000), scene.image(3)[::scale, ::scale]
    small = replace(features, keypoints=features.keypoints / scale, image_size=image.shape[1::-1])
    localizer = localizer_with(sfm_map, small, *settings)

    def localize(frame: Frame, prior: Prior | None) -> LocalizationResult:
        found = localizer.localize(frame.image, frame.camera, prior=prior)
        return replace(found, pose=None, status=Status.DOUBTFUL)

    estimator = make_rig_estimator(sfm_map.config.pose, Runtime(NoWeights()))
    tracker = Tracker(localize, estimator, localizer.pipeline.verifier, 7.0, sfm_map.config)
    *_, last = [tracker.next(Frame(image, camera, Rigid3.identity())) for _ in range(3)]
    assert last.pose is None or last.min_confidence is None, "it was not judged"
    return last.pose


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_frames_with_wrong_intrinsics_are_not_given_together_either(
    scene: ExactScene, sfm_map: Map, factor: float
) -> None:
    assert solved_together(scene, sfm_map, scene.camera) is not None
    wrong = replace(scene.camera, params=scene.camera.params * (factor, 1, 1, 1))
    assert solved_together(scene, sfm_map, wrong) is None


def test_intrinsics_of_frames_may_be_those_of_another_resolution(
    scene: ExactScene, sfm_map: Map
) -> None:
    pose = solved_together(scene, sfm_map, scene.camera, scale=2)
    assert pose is not None
    distance, angle_deg = pose_errors(pose.cam_from_world, scene.poses[3])
    assert distance < 1e-3 and angle_deg < 0.01


def test_frames_are_not_solved_together_under_a_promise(scene: ExactScene, sfm_map: Map) -> None:
    assert solved_together(scene, sfm_map, scene.camera, "confidence.max_wrong=0.05") is None
