"""Correspondences of a rig of known pose, with noise and outliers: for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.synthetic.correspondences import CAMERA, make_scene
from hloc_lite.types import Bool, Camera, Correspondences, Rig, RigCamera, Rigid3


@dataclass(frozen=True, eq=False)
class RigScene:
    """What was seen by each camera, and what is true."""

    correspondences: tuple[Correspondences, ...]
    rig: Rig
    rig_from_world: Rigid3
    true: tuple[Bool, ...]
    """For each camera (K_c,) which correspondences are right."""


def ring(cameras: Sequence[Camera], radius: float, seed: int) -> Rig:
    """Cameras on a circle that look outward, each turned a little at random.

    Args:
        radius: of the circle, map units; 0: a panorama head.
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
    share: float = 0.5,
    noise_px: float = 1.0,
) -> RigScene:
    """Points around each camera, at its field of view.

    Args:
        rig: four cameras on a circle of half a map unit by default.
        count: K, of all cameras together.
        share: of right correspondences in each camera.
        noise_px: standard deviation of right pixels along each axis.
    """
    rng = np.random.default_rng(seed)
    rig = ring([CAMERA] * 4, 0.5, seed) if rig is None else rig
    pose = Rigid3(Rotation.random(random_state=seed).as_matrix(), 5 * rng.normal(size=3))
    seen, true, first = [], [], 0
    for i, each in enumerate(rig.cameras):
        mine = count // len(rig) + (i < count % len(rig))
        scene = make_scene(1000 * seed + i, mine, share, noise_px, each.camera)
        # the same picture, of points moved to where this camera is
        world_from_cam = each.cam_from_rig.compose(pose).inverse()
        points = world_from_cam.apply(scene.cam_from_world.apply(scene.correspondences.points3D))
        idxs = np.arange(first, first + mine)
        first += mine
        seen.append(replace(scene.correspondences, points3D=points, point3D_idxs=idxs))
        true.append(scene.true)
    return RigScene(tuple(seen), rig, pose, tuple(true))
