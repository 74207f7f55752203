"""Poses with known errors and a small map with localization results, for the evaluation tests."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import (
    NO_POINT,
    Camera,
    Correspondences,
    LocalizationResult,
    Photo,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
)

CAMERA = Camera("SIMPLE_PINHOLE", 320, 240, np.array([250.0, 160, 120]))


def random_poses(names: list[str], seed: int = 0) -> dict[str, Rigid3]:
    generator = np.random.default_rng(seed)
    return {
        name: Rigid3(exp_so3(generator.normal(0, 1, 3)), generator.normal(0, 10, 3))
        for name in names
    }


def moved(pose: Rigid3, distance: float, angle_deg: float) -> Rigid3:
    """Move the camera by a distance and turn it by an angle."""
    rotation = exp_so3(np.radians(angle_deg) * np.array([0.6, 0, 0.8])) @ pose.rotation
    center = pose.center + distance * np.array([0.0, 0.6, -0.8])
    return Rigid3(rotation, -rotation @ center)


def level_camera(center: tuple[float, float, float], yaw_rad: float, pitch_rad: float) -> Rigid3:
    """Camera pose without roll in a world whose z axis points up."""
    cos = np.cos(pitch_rad)
    forward = np.array([np.cos(yaw_rad) * cos, np.sin(yaw_rad) * cos, np.sin(pitch_rad)])
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid3(rotation, -rotation @ np.array(center))


def ring_model(num_images: int = 8, num_points: int = 200) -> SfmModel:
    """SfM model of cameras on a ring that look at points in its middle."""
    generator = np.random.default_rng(1)
    points = generator.uniform([-2, -2, 0], [2, 2, 3], (num_points, 3))
    images = []
    for i in range(num_images):
        angle = 2 * np.pi * i / num_images
        pose = level_camera((8 * np.cos(angle), 8 * np.sin(angle), 1.5), angle + np.pi, 0.0)
        seen = np.sort(generator.permutation(num_points)[: num_points // 2])
        idxs = np.append(seen, NO_POINT)
        keypoints = np.vstack([img_from_cam(CAMERA, pose.apply(points[seen])), [[1, 1]]])
        images.append(SfmImage(i + 1, f"map/Straße {i}.jpg", 1, pose, keypoints, idxs))
    rgb = np.full((num_points, 3), 128)
    ids = np.arange(1, num_points + 1)
    return SfmModel({1: CAMERA}, tuple(images), ids, points, rgb, np.ones(num_points))


def localized_result(
    name: str, model: SfmModel, true: Rigid3, estimated: Rigid3
) -> LocalizationResult:
    """Result of a localized query with 60 correspondences; the first 40 are inliers."""
    idxs = np.arange(60)
    points = model.xyz[idxs]
    return LocalizationResult(
        query_name=name,
        status=Status.LOCALIZED,
        reason="40 inliers of 60",
        pose=PoseEstimate(estimated, idxs < 40, 100, None, CAMERA),
        correspondences=Correspondences(
            img_from_cam(CAMERA, true.apply(points)), points, idxs, idxs, np.ones(60)
        ),
        features=None,
        hits=RetrievalHits(tuple(i.name for i in model.images[:3]), np.array([0.9, 0.8, 0.7])),
        counts={"keypoints": 500, "inliers": 40},
        timings_ms={"features": 100.0, "pose": 20.0},
    )


def failed_result(name: str, reason: str = "only 3 matches") -> LocalizationResult:
    """Result of a query without pose or correspondences."""
    hits = RetrievalHits((), np.zeros(0))
    status = Status.TOO_FEW_MATCHES
    return LocalizationResult(name, status, reason, None, None, None, hits, {}, {"features": 90.0})


def grey_photo(name: str) -> Photo:
    return Photo(name, np.full((240, 320, 3), 128, np.uint8))
