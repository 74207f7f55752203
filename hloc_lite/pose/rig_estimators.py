"""Estimators for rigs: the weighted loop of this package, and others for comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.io.pycolmap_adapter import rig_pose
from hloc_lite.pose.common import among_all, max_error_px, posterior_odds, usable_rows, votes
from hloc_lite.pose.poselib_estimator import error_key
from hloc_lite.pose.rig_common import (
    centered,
    check_lengths,
    finish_rig,
    from_centered,
    pixel_scales,
)
from hloc_lite.pose.rig_errors import RigErrors
from hloc_lite.pose.rig_ransac import RigProblem, rig_ransac
from hloc_lite.pose.rig_views import RigView, stations
from hloc_lite.registry import Runtime
from hloc_lite.types import Correspondences, Rig, Rigid3, RigPoseEstimate

SAME_CENTER = 1e-6
"""Of the extent of the map points: centres closer than that are taken for one."""


class RansacRigEstimator(ABC):
    """``protocols.RigEstimator`` around ``ransac``; all end in the same refinement."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(
        self, correspondences: Sequence[Correspondences], rig: Rig
    ) -> RigPoseEstimate | None:
        """As ``protocols.RigEstimator``."""
        check_lengths(correspondences, rig)
        rows = [usable_rows(each) for each in correspondences]
        correspondences = [
            each.subset(usable) for each, usable in zip(correspondences, rows, strict=True)
        ]
        rig, origin = centered(rig)
        found = self.ransac(correspondences, rig, self._config.max_num_trials)
        if found is None:
            return None
        pose, num_trials = found
        refined = finish_rig(correspondences, rig, pose, self._config, num_trials)
        if refined is None:
            return None
        masks = tuple(map(among_all, refined.inlier_masks, rows))
        return from_centered(replace(refined, inlier_masks=masks), origin)

    @abstractmethod
    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """(rig_from_world, trials drawn) before the refinement on pixels; None if there is none.

        Args:
            correspondences: of each camera, without those that say nothing (``usable_rows``).
        """

    def _enough(self, count: int) -> bool:
        return count >= max(4, self._config.rig_min_inliers)


class WeightedRigEstimator(RansacRigEstimator):
    """Weighted LO-RANSAC over all cameras at once, for every camera model."""

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacRigEstimator``."""
        views = [
            RigView.of(each, of_camera, self._config)
            for each, of_camera in zip(rig.cameras, correspondences, strict=True)
        ]
        points3D = np.concatenate([view.points3D for view in views])
        if not self._enough(len(points3D)):
            return None
        # near the origin single precision is enough to screen poses
        center = np.median(points3D, axis=0)
        weights = np.concatenate([view.weights for view in views])
        chance = np.concatenate([view.chances for view in views])
        counts = [len(view.weights) for view in views]
        extent = float(np.median(np.abs(points3D - center)))
        problem = RigProblem(
            centers=np.repeat([each.cam_from_rig.center for each in rig.cameras], counts, axis=0),
            rays=np.concatenate([view.rays_in_rig for view in views]),
            stations=np.repeat(stations(rig, SAME_CENTER * extent), counts),
            points3D=points3D - center,
            weights=weights,
            votes=votes(posterior_odds(weights, chance, self._config)),
            errors=RigErrors.joined([view.errors(center) for view in views]),
        )
        found = rig_ransac(problem, self._config, max_num_trials)
        if found is None:
            return None
        rotation, translation = found.pose[:9].reshape(3, 3), found.pose[9:]
        # products of many small rotations: orthonormal again to the last digit
        left, _, right = np.linalg.svd(rotation)
        rotation = left @ right
        return Rigid3(rotation, translation - rotation @ center), found.num_trials


class PoseLibRigEstimator(RansacRigEstimator):
    """PoseLib's generalized LO-RANSAC; points are undistorted first, so every lens below 180
    degrees works. Its last digits differ from call to call."""

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacRigEstimator``."""
        import poselib

        config = self._config
        points2D, points3D, extrinsics, cameras = [], [], [], []
        scales = pixel_scales(rig, config)
        for each, of_camera, scale in zip(rig.cameras, correspondences, scales, strict=True):
            # one inlier bound for all: cameras of another resolution get another focal length
            focal = scale * float(focal_lengths(each.camera).mean())
            plane = cam_from_img(each.camera, of_camera.points2D)
            usable = np.isfinite(plane).all(axis=1)
            if not usable.any():
                continue
            points2D.append(np.ascontiguousarray(plane[usable] * focal))
            points3D.append(np.ascontiguousarray(of_camera.points3D[usable]))
            pose = poselib.CameraPose()
            pose.R, pose.t = each.cam_from_rig.rotation, each.cam_from_rig.translation
            extrinsics.append(pose)
            width, height = each.camera.width, each.camera.height
            params = [focal, 0.0, 0.0]
            cameras.append(
                {"model": "SIMPLE_PINHOLE", "width": width, "height": height, "params": params}
            )
        if not self._enough(sum(len(points) for points in points2D)):
            return None
        options = poselib.RansacOptions()
        options |= {
            error_key(options): max_error_px(rig.cameras[0].camera, config),
            "max_iterations": max_num_trials,
            "min_iterations": min(config.min_num_trials, max_num_trials),
            "success_prob": config.confidence,
            "seed": config.seed,
        }
        pose, info = poselib.estimate_generalized_absolute_pose(
            points2D, points3D, extrinsics, cameras, options, {}
        )
        if info["num_inliers"] < 4 or not np.isfinite(pose.Rt).all():
            return None
        return Rigid3(pose.R, pose.t), int(info["iterations"])


class PycolmapRigEstimator(RansacRigEstimator):
    """pycolmap's generalized LO-RANSAC. It has one inlier bound in pixels for all cameras (the mean
    of theirs here), and does not say how many trials it drew."""

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """As ``RansacRigEstimator``."""
        config = self._config
        if not self._enough(sum(len(each) for each in correspondences)):
            return None
        answer = rig_pose(
            [each.points2D for each in correspondences],
            [each.points3D for each in correspondences],
            rig,
            max_error_px=float(np.mean([max_error_px(c.camera, config) for c in rig.cameras])),
            confidence=config.confidence,
            num_trials=(min(config.min_num_trials, max_num_trials), max_num_trials),
            seed=config.seed,
        )
        return None if answer is None else (answer[0], 0)
