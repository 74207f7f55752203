"""Values of a results file as they are read; each is checked, as files may be changed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.geometry.rotations import check_unit_quaternion, rotation_from_quat_wxyz
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.types import Camera, Float64, PoseEstimate, Rigid3, ViewComparison

MAX_CORRESPONDENCES = 10**8
"""Larger numbers in a file are refused, because an array of that length is allocated."""
_CENTER_ERROR = 1e-6
"""Largest error of a pose's center, over its distance: numbers are written in full precision."""
_ASYMMETRY = 1e-6
"""Largest difference of two entries of a covariance that must be equal, over its largest entry."""


def loads_finite(text: str) -> Any:
    """Value of a JSON text without NaN, infinity and numbers that no result has.

    Raises:
        ValueError: no JSON.
        FormatError: such a number.
    """
    return json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=_refuse_constant)


def _finite(text: str) -> float:
    """Number of a line. Raises FormatError for one that no result has, such as 1e999."""
    number = float(text)
    if not abs(number) <= MAX_NUMBER**2:  # a covariance has squares
        raise FormatError(f"the number {text[:40]} is too large")
    return number


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


def _refuse_constant(name: str) -> float:
    raise FormatError(f"{name} is no number that JSON has; a missing one is null")


def estimate_from_json(value: Mapping[str, Any]) -> PoseEstimate:
    """Pose of a result with its number of inliers. Raises FormatError for impossible values."""
    camera = value["camera"]
    covariance = value["covariance"]
    num_inliers, num_all = int(value["num_inliers"]), int(value["num_correspondences"])
    if not 0 <= num_inliers <= num_all <= MAX_CORRESPONDENCES:
        raise FormatError(f"{num_inliers} inliers of {num_all} correspondences are impossible")
    return PoseEstimate(
        cam_from_world=pose_from_json(value["pose"]),
        inlier_mask=np.arange(num_all) < num_inliers,
        num_trials=int(value["num_trials"]),
        covariance=None if covariance is None else _covariance_from_json(covariance),
        camera=check_camera(
            Camera(
                camera["model"],
                int(camera["width"]),
                int(camera["height"]),
                np.array(camera["params"], np.float64),
                bool(camera["has_prior_focal"]),
            )
        ),
    )


def pose_from_json(value: Mapping[str, Any]) -> Rigid3:
    """Pose, whose center must fit if it is given. Raises FormatError for impossible values."""
    translation = np.array(value["translation"], np.float64)
    if not in_range(translation):
        raise FormatError(
            f"a translation needs finite numbers of at most {MAX_NUMBER:g}, got "
            f"{value['translation']}"
        )
    check_unit_quaternion(value["quat_wxyz"])
    pose = Rigid3(rotation_from_quat_wxyz(value["quat_wxyz"]), translation)
    center = np.array(value.get("center", pose.center), np.float64)
    if not np.allclose(
        center, pose.center, rtol=0, atol=_CENTER_ERROR * (1 + float(np.linalg.norm(translation)))
    ):
        raise FormatError(
            f"the center {center.tolist()} is not that of the pose, {pose.center.tolist()}: one of "
            f"the numbers was changed. If that was on purpose, remove the key 'center'"
        )
    return pose


def _covariance_from_json(value: Any) -> Float64:
    covariance = np.array(value, np.float64)
    if covariance.shape != (6, 6):
        raise FormatError(f"a covariance has 6 x 6 numbers, got {covariance.shape}")
    largest = np.abs(covariance).max()
    if not np.allclose(covariance, covariance.T, rtol=0, atol=_ASYMMETRY * largest):
        raise FormatError("a covariance must be symmetric")
    if covariance.diagonal().min() < -_ASYMMETRY * largest:
        raise FormatError("a covariance has no negative numbers in its diagonal")
    return covariance


def view_from_json(value: Mapping[str, Any]) -> ViewComparison:
    """Comparison with a view of the surface; numbers that are null become NaN."""

    def number(key: str) -> float:
        return math.nan if value[key] is None else float(value[key])

    return ViewComparison(
        pose_from_json(value["pose"]), number("agreement"), number("inverse_distance"),
        number("valid_share"), number("score"),
    )  # fmt: skip


def number_or_none(value: Any) -> float | None:
    """Number, or None for null."""
    return None if value is None else float(value)


def share_or_none(value: Any) -> float | None:
    """Number from 0 to 1, or None for null. Raises FormatError for other numbers."""
    share = number_or_none(value)
    if share is not None and not 0 <= share <= 1:
        raise FormatError(f"expected a number from 0 to 1, got {value}")
    return share


def checked_text(value: object) -> str:
    """The value if it is a text. Raises TypeError otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value
