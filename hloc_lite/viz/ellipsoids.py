"""Uncertainty of camera centres as ellipsoids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float32, Float64, PoseEstimate, freeze_field
from hloc_lite.viz.frame import ViewerFrame
from hloc_lite.viz.frusta import quats_wxyz

SIGMAS_95 = 2.7955
"""Half axes in standard deviations of an ellipsoid that holds 95 % of a Gaussian in 3D: the square
root of the chi-square quantile with 3 degrees of freedom."""


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """N ellipsoids in the viewer."""

    rows: tuple[int, ...]
    """Query of each ellipsoid."""
    centers: Float32
    """(N, 3) units of the viewer."""
    quats_wxyz: Float32
    """(N, 4) rotations world_from_axes."""
    radii: Float32
    """(N, 3) half axes, units of the viewer."""

    def __post_init__(self) -> None:
        n = len(self.rows)
        freeze_field(self, "centers", np.float32, n, 3)
        freeze_field(self, "quats_wxyz", np.float32, n, 4)
        freeze_field(self, "radii", np.float32, n, 3)

    def __len__(self) -> int:
        return len(self.rows)


def center_covariance(pose: PoseEstimate) -> Float64 | None:
    """(3, 3) covariance of the camera centre, world, map units squared; None if unknown.

    With cam_from_world_true = exp(d) cam_from_world the centre moves by -R^T d_t, to first order.
    """
    if pose.covariance is None or not np.isfinite(pose.covariance).all():
        return None
    rotation = pose.cam_from_world.rotation
    moved: Float64 = rotation.T @ pose.covariance[3:, 3:] @ rotation
    return moved


def make_ellipsoids(poses: Sequence[PoseEstimate | None], frame: ViewerFrame) -> Ellipsoids:
    """95 % ellipsoids of the camera centres; poses without covariance have none."""
    rows, centers, rotations, radii = [], [], [], []
    for row, pose in enumerate(poses):
        covariance = None if pose is None else center_covariance(pose)
        if pose is None or covariance is None:
            continue
        variances, axes = np.linalg.eigh(covariance)
        axes[:, 0] *= np.sign(np.linalg.det(axes))
        rows.append(row)
        centers.append(pose.cam_from_world.center)
        rotations.append(axes)
        radii.append(SIGMAS_95 * frame.scale * np.sqrt(np.maximum(variances, 0)))
    if not rows:
        return Ellipsoids((), *(np.zeros((0, n), np.float32) for n in (3, 4, 3)))
    return Ellipsoids(
        tuple(rows),
        frame.from_world(np.array(centers)),
        quats_wxyz(rotations),
        np.array(radii, np.float32),
    )
