"""Runs of pose estimators on simulated scenes: options of the benchmarks, one run, and medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.synthetic.correspondences import FARTHEST, NEAREST
from hloc_lite.types import PoseEstimate, Rigid3, RigPoseEstimate
from pipelines.benchmarks.table import percent

MAX_ANGLE_DEG = 0.5
MAX_DISTANCE = 0.01 * (NEAREST + FARTHEST) / 2
"""Errors of a success: 0.5 degrees, and 1 % of the median depth."""
E = TypeVar("E", PoseEstimate, RigPoseEstimate)


@dataclass(frozen=True)
class Run:
    """One estimator on one scene."""

    is_success: bool
    distance: float
    """Position error, map units."""
    angle_deg: float
    wall_ms: float
    cpu_ms: float
    num_trials: int
    """RANSAC samples."""


def ransac_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options for the scenes' noise and weights, and for RANSAC."""
    for option in (
        click.option("--weights", "separation", type=float,
                     help="AUC of the weights: 0.8 for 1.19, 0.5 for 0, 0.3 for -0.74."),
        click.option("--min-trials", default=100, show_default=True),
        click.option("--max-trials", default=100000, show_default=True),
        click.option("--bound", "bound_px", default=6.0, show_default=True,
                     help="Inlier bound, px."),
        click.option("--noise", "noise_px", default=1.0, show_default=True,
                     help="Noise of inliers, px."),
    ):  # fmt: skip
        command = option(command)
    return command


def ransac_config(bound_px: float, max_trials: int, min_trials: int) -> PoseConfig:
    """Config of the estimators for scenes of 1024 px."""
    return PoseConfig(
        max_error_px=bound_px, reference_side_px=1024, max_num_trials=max_trials,
        min_num_trials=min_trials,
    )  # fmt: skip


def measure(estimate: Callable[[], E | None], pose: Callable[[E], Rigid3], truth: Rigid3) -> Run:
    """Run an estimator and compare the pose of its estimate with the true one."""
    start, cpu_start = time.perf_counter(), time.process_time()
    found = estimate()
    cpu_ms = 1000 * (time.process_time() - cpu_start)
    wall_ms = 1000 * (time.perf_counter() - start)
    if found is None:
        return Run(False, np.inf, np.inf, wall_ms, cpu_ms, 0)
    distance, angle_deg = pose_errors(pose(found), truth)
    is_success = distance < MAX_DISTANCE and angle_deg < MAX_ANGLE_DEG
    return Run(is_success, distance, angle_deg, wall_ms, cpu_ms, found.num_trials)


def accuracy_cells(runs: Sequence[Run]) -> tuple[str, float, float]:
    """Cells of a table: share of successes, and their median errors (map units, degrees)."""
    good = [(each.distance, each.angle_deg) for each in runs if each.is_success]
    distance, angle_deg = np.median(good, axis=0) if good else (np.nan, np.nan)
    share = percent(len(good) / len(runs))
    return share, round(float(distance), 4), round(float(angle_deg), 4)


def median_trials(runs: Sequence[Run]) -> int:
    """Median number of RANSAC samples."""
    return round(float(np.median([each.num_trials for each in runs])))
