"""Burned-in marks: found in moving photos, and never where the camera stood still."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import BurnedInConfig
from hloc_lite.features.burned_in import detector_scale, find_marks, near_marks
from hloc_lite.types import LocalFeatures

SIZE = (640, 480)
CONFIG = BurnedInConfig()
STAMP = np.stack([np.linspace(20, 200, 30), np.full(30, 465.0)], axis=1)
"""Pixels of a time stamp at the lower border."""


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def features(rng: np.random.Generator, fixed: np.ndarray, looks: np.ndarray) -> LocalFeatures:
    """300 features of a photo that nothing else shows, and those at fixed pixels."""
    scene = rng.uniform((0, 0), SIZE, (300, 2))
    keypoints = np.concatenate([scene, fixed + rng.normal(0, 0.2, fixed.shape)])
    descriptors = unit(np.concatenate([unit(rng.normal(size=(300, 32))), looks]))
    return LocalFeatures(
        np.clip(keypoints, 0, SIZE).astype(np.float32),
        descriptors.astype(np.float32),
        np.ones(len(keypoints), np.float32),
        SIZE,
    )


def photos(num: int, fixed: np.ndarray = STAMP, noise: float = 0.08) -> list[LocalFeatures]:
    """Photos of a moving camera with features that stay, and look alike up to some noise."""
    rng = np.random.default_rng(0)
    looks = unit(rng.normal(size=(len(fixed), 32)))
    return [features(rng, fixed, looks + rng.normal(0, noise, looks.shape)) for _ in range(num)]


def test_a_time_stamp_is_found_and_the_scene_is_kept() -> None:
    moving = photos(12)
    marks = find_marks(moving, CONFIG, 1024)
    for each in moving:
        found = near_marks(each.keypoints, marks, CONFIG.margin_px)
        assert found[300:].all()
        far = np.linalg.norm(each.keypoints[:300, None] - STAMP, axis=2).min(axis=1) > 10
        assert not found[:300][far].any() and far.sum() > 250


def test_marks_are_found_though_dense_features_coincide_by_chance() -> None:
    """With 5000 small descriptors, one seems to stay in most fields of two photos."""
    rng = np.random.default_rng(4)
    looks = unit(rng.normal(size=(30, 8)))
    dense = []
    for _ in range(12):
        scene = rng.uniform((0, 0), SIZE, (5000, 2))
        keypoints = np.concatenate([scene, STAMP + rng.normal(0, 0.2, STAMP.shape)])
        descriptors = np.concatenate([unit(rng.normal(size=(5000, 8))), looks])
        dense.append(
            LocalFeatures(
                keypoints.astype(np.float32),
                descriptors.astype(np.float32),
                np.ones(len(keypoints), np.float32),
                SIZE,
            )
        )
    marks = find_marks(dense, CONFIG, 640)
    assert len(marks) > 0
    assert np.linalg.norm(marks[:, None] - STAMP, axis=2).min(axis=1).max() < 3


def test_features_of_the_scene_that_move_are_no_marks() -> None:
    rng = np.random.default_rng(1)
    looks = unit(rng.normal(size=(30, 32)))
    drifting = [features(rng, STAMP + np.array([3.0 * step, 0]), looks) for step in range(12)]
    assert len(find_marks(drifting, CONFIG, 1024)) == 0


def test_another_look_at_the_same_pixel_is_no_mark() -> None:
    assert len(find_marks(photos(12, noise=3.0), CONFIG, 1024)) == 0


def test_too_few_photos_tell_nothing() -> None:
    assert len(find_marks(photos(CONFIG.min_photos - 1), CONFIG, 1024)) == 0
    assert len(find_marks(photos(CONFIG.min_photos), CONFIG, 1024)) > 0


@pytest.mark.parametrize("views", [1, 2, 5])
def test_a_camera_that_stands_still_has_no_marks(views: int) -> None:
    """Photos from one or several tripods, taken in turn, in which people come and go."""
    rng = np.random.default_rng(2)
    scenes = [rng.uniform((0, 0), SIZE, (400, 2)) for _ in range(views)]
    looks = [unit(rng.normal(size=(400, 32))) for _ in range(views)]
    taken = [features(rng, scenes[n % views], looks[n % views]) for n in range(30)]
    assert len(find_marks(taken, CONFIG, 1024)) == 0


def test_a_webcam_whose_light_changes_has_no_marks() -> None:
    """A tenth of the features is found again, at places all over the picture."""
    rng = np.random.default_rng(3)
    scene, looks = rng.uniform((0, 0), SIZE, (300, 2)), unit(rng.normal(size=(300, 32)))
    taken = []
    for _ in range(30):
        seen = rng.choice(300, 40, replace=False)
        taken.append(features(rng, scene[seen], looks[seen]))
    assert len(find_marks(taken, CONFIG.model_copy(update={"min_share": 0.1}), 1024)) == 0


def test_marks_of_a_moving_camera_are_found_though_it_stops_for_a_while() -> None:
    stopped = [photos(1)[0]] * 20
    marks = find_marks([*photos(12), *stopped], CONFIG, 1024)
    assert near_marks(STAMP, marks, 2.0).all()


def test_distances_are_those_of_the_detector() -> None:
    assert detector_scale((4096, 3072), 1024) == 4.0
    assert detector_scale((640, 480), 1024) == 1.0
    large = [
        LocalFeatures(each.keypoints * 4, each.descriptors, each.scores, (2560, 1920))
        for each in photos(12)
    ]
    assert len(find_marks(large, CONFIG, 640)) == len(find_marks(photos(12), CONFIG, 1024)) > 0


def test_no_features_are_no_marks() -> None:
    none = LocalFeatures(np.zeros((0, 2)), np.zeros((0, 32)), np.zeros(0), SIZE)
    assert len(find_marks([none] * 8, CONFIG, 1024)) == 0
    assert near_marks(np.zeros((0, 2)), STAMP, 8.0).shape == (0,)
