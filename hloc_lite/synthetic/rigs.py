"""Random 2D-3D correspondences of a camera rig of known pose, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.synthetic.correspondences import CAMERA, make_scene
from hloc_lite.types import Bool, Camera, Correspondences, Rig, RigCamera, Rigid3


@dataclass(frozen=True, eq=False)
class RigScene:
    """Correspondences of each camera of a rig with their ground truth."""

    correspondences: tuple[Correspondences, ...]
    rig: Rig
    rig_from_world: Rigid3
    inlier_masks: tuple[Bool, ...]
    """For each camera (K_c,), True for correct correspondences."""


def ring(cameras: Sequence[Camera], radius: float, seed: int) -> Rig:
    """Rig of cameras on a circle that look outward, each with a small random rotation.

    Args:
        cameras: intrinsics of the cameras, in order around the circle.
        radius: radius of the circle, map units; 0 puts all cameras at one centre.
        seed: seed of the rotations.
    """
    rng = np.random.default_rng(seed)
    members = []
    for i, camera in enumerate(cameras):
        turn = Rotation.from_euler("y", 2 * np.pi * i / len(cameras))
        center = turn.apply([0, 0, radius])
        rig_from_cam = turn * Rotation.from_rotvec(0.1 * rng.normal(size=3))
        pose = Rigid3(rig_from_cam.as_matrix(), center).inverse()
        members.append(RigCamera(camera, pose))
    return Rig(tuple(members))


def make_rig_scene(
    seed: int,
    rig: Rig | None = None,
    count: int = 500,
    inlier_ratio: float = 0.5,
    noise_px: float = 1.0,
) -> RigScene:
    """Sample points in front of each camera of a rig with a random pose.

    Args:
        seed: seed of the scene.
        rig: default: four cameras on a circle with a radius of half a map unit.
        count: number of correspondences of all cameras together.
        inlier_ratio: share of correct correspondences in each camera.
        noise_px: standard deviation of the pixels of inliers along each axis.
    """
    rng = np.random.default_rng(seed)
    rig = ring([CAMERA] * 4, 0.5, seed) if rig is None else rig
    pose = Rigid3(Rotation.random(random_state=seed).as_matrix(), 5 * rng.normal(size=3))
    correspondences, inlier_masks, first = [], [], 0
    for i, each in enumerate(rig.cameras):
        num = count // len(rig) + (i < count % len(rig))
        scene = make_scene(1000 * seed + i, num, inlier_ratio, noise_px, each.camera)
        # same image points; the 3D points move to this camera's frame
        world_from_cam = each.cam_from_rig.compose(pose).inverse()
        points = world_from_cam.apply(scene.cam_from_world.apply(scene.correspondences.points3D))
        idxs = np.arange(first, first + num)
        first += num
        correspondences.append(replace(scene.correspondences, points3D=points, point3D_idxs=idxs))
        inlier_masks.append(scene.inlier_mask)
    return RigScene(tuple(correspondences), rig, pose, tuple(inlier_masks))
