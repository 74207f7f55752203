"""Estimators for rigs: the weighted LO-RANSAC of this package, PoseLib's and pycolmap's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.io.pycolmap_adapter import rig_pose
from hloc_lite.pose.batch_reprojection import rigid_from_row
from hloc_lite.pose.inlier_model import (
    expand_mask,
    max_error_px,
    posterior_odds,
    score_weights,
    usable_mask,
)
from hloc_lite.pose.poselib_estimator import pose_and_trials, ransac_options, undistort
from hloc_lite.pose.rig_inputs import (
    RigView,
    centered,
    check_lengths,
    from_centered,
    pixel_scales,
    shared_centers,
)
from hloc_lite.pose.rig_ransac import RigProblem, rig_ransac
from hloc_lite.pose.rig_refine import refine_rig_on_inliers
from hloc_lite.pose.rig_reprojection import RigBatchReprojection
from hloc_lite.registry import Runtime
from hloc_lite.types import Correspondences, Rig, Rigid3, RigPoseEstimate

SAME_CENTER = 1e-6
"""Distance between camera centres, over the extent of the map points, below which they count as
one."""


class RansacRigEstimator(ABC):
    """``protocols.RigEstimator`` that refines the pose of its ``ransac``."""

    def __init__(self, name: str, config: PoseConfig, runtime: Runtime) -> None:
        self._config = config

    def estimate(
        self, correspondences: Sequence[Correspondences], rig: Rig
    ) -> RigPoseEstimate | None:
        """See ``protocols.RigEstimator.estimate``."""
        check_lengths(correspondences, rig)
        usable = [usable_mask(each) for each in correspondences]
        correspondences = [
            each.subset(mask) for each, mask in zip(correspondences, usable, strict=True)
        ]
        rig, origin = centered(rig)
        start = self.ransac(correspondences, rig, self._config.max_num_trials)
        if start is None:
            return None
        pose, num_trials = start
        refined = refine_rig_on_inliers(correspondences, rig, pose, self._config, num_trials)
        if refined is None:
            return None
        masks = tuple(map(expand_mask, refined.inlier_masks, usable))
        return from_centered(replace(refined, inlier_masks=masks), origin)

    @abstractmethod
    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """RANSAC without refinement.

        Args:
            correspondences: of each camera, usable ones only (``usable_mask``).

        Returns:
            (rig_from_world, number of trials; 0 if unknown), or None if no pose was found.
        """

    def _has_enough(self, count: int) -> bool:
        """True if a pose is possible with this number of usable correspondences."""
        return count >= max(4, self._config.rig_min_inliers)


class WeightedRigEstimator(RansacRigEstimator):
    """Weighted LO-RANSAC over all cameras at once, for every camera model."""

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """See ``RansacRigEstimator.ransac``."""
        views = [
            RigView.from_correspondences(camera, each, self._config)
            for camera, each in zip(rig.cameras, correspondences, strict=True)
        ]
        points3D = np.concatenate([view.points3D for view in views])
        if not self._has_enough(len(points3D)):
            return None
        # poses are screened in single precision, which needs coordinates near the origin
        center = np.median(points3D, axis=0)
        weights = np.concatenate([view.weights for view in views])
        false_rates = np.concatenate([view.false_inlier_rates for view in views])
        counts = [len(view.weights) for view in views]
        extent = float(np.median(np.abs(points3D - center)))
        problem = RigProblem(
            centers=np.repeat([each.cam_from_rig.center for each in rig.cameras], counts, axis=0),
            rays=np.concatenate([view.rays_in_rig for view in views]),
            center_ids=np.repeat(shared_centers(rig, SAME_CENTER * extent), counts),
            points3D=points3D - center,
            weights=weights,
            score_weights=score_weights(posterior_odds(weights, false_rates, self._config)),
            errors=RigBatchReprojection.concatenate([view.errors(center) for view in views]),
        )
        found = rig_ransac(problem, self._config, max_num_trials)
        return None if found is None else (rigid_from_row(found[0], center), found[1])


class PoseLibRigEstimator(RansacRigEstimator):
    """PoseLib's generalized LO-RANSAC on undistorted points, for every lens below 180 degrees.

    The last digits of its result differ from call to call.
    """

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """See ``RansacRigEstimator.ransac``."""
        import poselib

        config = self._config
        points2D, points3D, extrinsics, cameras = [], [], [], []
        scales = pixel_scales(rig, config)
        for each, of_camera, scale in zip(rig.cameras, correspondences, scales, strict=True):
            # PoseLib has one inlier bound: the focal lengths are scaled so that it fits all cameras
            pixels, usable, pinhole = undistort(each.camera, of_camera.points2D, scale)
            if len(pixels) == 0:
                continue
            points2D.append(pixels)
            points3D.append(np.ascontiguousarray(of_camera.points3D[usable]))
            pose = poselib.CameraPose()
            pose.R, pose.t = each.cam_from_rig.rotation, each.cam_from_rig.translation
            extrinsics.append(pose)
            cameras.append(pinhole)
        if not self._has_enough(sum(len(points) for points in points2D)):
            return None
        bound_px = max_error_px(rig.cameras[0].camera, config)
        options = ransac_options(bound_px, max_num_trials, config)
        pose, info = poselib.estimate_generalized_absolute_pose(
            points2D, points3D, extrinsics, cameras, options, {}
        )
        return pose_and_trials(pose, info)


class PycolmapRigEstimator(RansacRigEstimator):
    """pycolmap's generalized LO-RANSAC.

    It has a single inlier bound in pixels, here the mean over the cameras, and does not report the
    number of trials.
    """

    def ransac(
        self, correspondences: Sequence[Correspondences], rig: Rig, max_num_trials: int
    ) -> tuple[Rigid3, int] | None:
        """See ``RansacRigEstimator.ransac``."""
        config = self._config
        if not self._has_enough(sum(len(each) for each in correspondences)):
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
