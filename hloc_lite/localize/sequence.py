"""Localizes a sequence: frames of one camera with odometry.

Each pose narrows the search for the next frame. Frames that have too few matches alone are solved
together with the frames before them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hloc_lite.config import Config
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.localize.rig import better_intrinsics
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.protocols import RigEstimator
from hloc_lite.types import (
    Camera,
    Correspondences,
    LocalizationResult,
    Photo,
    PoseEstimate,
    Prior,
    Rig,
    RigCamera,
    Rigid3,
    Status,
    UInt8,
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One photo of a sequence, with the motion since the frame before."""

    image: Photo | UInt8 | Path | str
    camera: Camera | None = None
    """Intrinsics; None to take them from EXIF, or estimate them."""
    from_last: Rigid3 | None = None
    """cam_from_last_cam by odometry, map units; None if unknown, as for the first frame."""

    def __post_init__(self) -> None:
        moved = self.from_last
        if moved is None:
            return
        if not isinstance(moved, Rigid3):
            raise ShapeError(f"Frame.from_last: expected a Rigid3 or None, got {moved!r}")
        across = moved.rotation @ moved.rotation.T - np.eye(3)
        # also False for NaN; odometry in single precision is off by 1e-6
        is_rotation = np.abs(across).max() < 1e-3 and np.linalg.det(moved.rotation) > 0
        if not (is_rotation and np.isfinite(np.linalg.norm(moved.translation))):
            raise ShapeError(
                "Frame.from_last: expected a rotation matrix and finite numbers; give None where "
                "odometry was lost"
            )


Localize = Callable[[Frame, Prior | None], LocalizationResult]


@dataclass(frozen=True, eq=False)
class _PastFrame:
    camera: Camera
    correspondences: Correspondences
    from_current: Rigid3
    """cam_from_current_cam."""


class Tracker:
    """Tracks a moving camera in a map.

    Args:
        localize: localizes one frame by itself.
        estimator: solves several frames together, as the cameras of a rig.
        verifier: tests the intrinsics of frames that were solved together.
        scene_distance: median distance of the map's points from their cameras, map units.
    """

    def __init__(
        self,
        localize: Localize,
        estimator: RigEstimator,
        verifier: PoseVerifier,
        scene_distance: float,
        config: Config,
    ) -> None:
        self._localize, self._estimator, self._verifier = localize, estimator, verifier
        self._scene_distance, self._config = scene_distance, config.sequence
        self._pose_config = config.pose
        self._expected: Rigid3 | None = None
        """cam_from_world of the last frame, by its own pose or by odometry since."""
        self._travelled = 0.0
        """Distance travelled since the last pose, map units."""
        self._window: deque[_PastFrame] = deque(maxlen=config.sequence.window - 1)

    def next(self, frame: Frame) -> LocalizationResult:
        """Localize the next frame.

        Without odometry, or if nothing is found near the expected position, a frame is localized
        like any other photo. A frame that has no pose by itself gets one from the last frames
        together, if enough of them agree.

        Raises:
            ConfigError: not a ``Frame``.
        """
        if not isinstance(frame, Frame):
            raise ConfigError(f"expected a Frame, got {frame!r}")
        self._move(frame.from_last)
        prior = self._prior()
        result = self._localize(frame, prior)
        if result.pose is None and prior is not None:
            anywhere = self._localize(frame, None)
            result = anywhere if anywhere.pose is not None else result
        if result.pose is None:
            result = self._solve_together(result, frame)
        else:
            self._remember(result.pose.camera, result.correspondences)
        if result.pose is not None:
            self._expected, self._travelled = result.pose.cam_from_world, 0.0
        return result

    def _move(self, from_last: Rigid3 | None) -> None:
        if from_last is None:
            self._expected = None
            self._window.clear()
            return
        self._travelled += float(np.linalg.norm(from_last.translation))
        if self._expected is not None:
            self._expected = from_last.compose(self._expected)
        last_from_current = from_last.inverse()
        moved = [
            replace(each, from_current=each.from_current.compose(last_from_current))
            for each in self._window
        ]
        self._window = deque(moved, self._window.maxlen)

    def _prior(self) -> Prior | None:
        if self._expected is None:
            return None
        radius = (
            self._config.radius_depths * self._scene_distance
            + self._config.drift_share * self._travelled
        )
        if not np.isfinite(radius):  # odometry has diverged
            return None
        return Prior(position=self._expected.center, radius=radius)

    def _remember(self, camera: Camera, correspondences: Correspondences | None) -> None:
        if correspondences is not None and len(correspondences) > 0:
            self._window.append(_PastFrame(camera, correspondences, Rigid3.identity()))

    def _solve_together(self, result: LocalizationResult, frame: Frame) -> LocalizationResult:
        """Result with the pose that the last frames give together, if there is one."""
        own, features = result.correspondences, result.features
        if frame.camera is None or own is None or features is None or len(own) == 0:
            return result
        if result.max_wrong is not None:  # nothing is promised for poses without confidence
            return result
        camera = rescaled(frame.camera, *features.image_size)
        self._remember(camera, own)
        frames = list(self._window)
        if len(frames) < self._config.min_frames:
            return result
        rig = Rig(tuple(RigCamera(each.camera, each.from_current) for each in frames))
        matches = [each.correspondences for each in frames]
        found = self._estimator.estimate(matches, rig)
        if found is None:
            return result
        if any(better_intrinsics(self._verifier, matches, rig, found, self._pose_config)):
            return result
        counts = [int(mask.sum()) for mask in found.inlier_masks]
        agreeing = sum(count >= self._config.min_inliers_of_frame for count in counts)
        if agreeing < self._config.min_frames or counts[-1] < self._config.min_inliers_of_frame:
            return result
        pose = PoseEstimate(
            found.rig_from_world, found.inlier_masks[-1], found.num_trials, found.covariance, camera
        )
        reason = f"{sum(counts)} correspondences of {agreeing} frames agree"
        return replace(
            result,
            status=Status.LOCALIZED,
            reason=reason,
            pose=pose,
            confidence=None,
            min_confidence=None,
            counts={**result.counts, "frames": agreeing, "inliers": pose.num_inliers},
        )
