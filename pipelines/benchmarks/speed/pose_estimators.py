"""Pose estimators on the same simulated correspondences: success, errors, times.

    python -m pipelines.benchmarks.speed.pose_estimators --scenes 200
    python -m pipelines.benchmarks.speed.pose_estimators --weights 1.19 --share 0.05 --share 0.02

All estimators end in the same refinement on pixels. With --weights, ``weighted`` also runs without
them (``weighted, equal weights``). Success: within 0.5 degrees and 1 % of the median depth. Times
are medians. On a busy machine compare CPU times, with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import (
    FARTHEST,
    NEAREST,
    Scene,
    informative_weights,
    make_scene,
)
from hloc_lite.types import PoseEstimate
from pipelines.benchmarks.table import Table, percent, results_option

MAX_ANGLE_DEG = 0.5
MAX_DISTANCE = 0.01 * (NEAREST + FARTHEST) / 2
Estimate = Callable[[Scene], PoseEstimate | None]


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


@click.command()
@click.option("--scenes", default=200, show_default=True, help="Scenes per row.")
@click.option("--count", "counts", multiple=True, default=(500, 2000, 4000), show_default=True)
@click.option("--share", "ratios", multiple=True, default=(0.5, 0.2, 0.1, 0.05), show_default=True,
              help="Inlier ratio.")  # fmt: skip
@click.option("--estimators", "names", multiple=True, default=tuple(ESTIMATORS), show_default=True)
@click.option("--noise", "noise_px", default=1.0, show_default=True, help="Noise of inliers, px.")
@click.option("--bound", "bound_px", default=6.0, show_default=True, help="Inlier bound, px.")
@click.option("--max-trials", default=100000, show_default=True)
@click.option("--min-trials", default=100, show_default=True)
@click.option("--weights", "separation", type=float,
              help="AUC of the weights: 0.8 for 1.19, 0.5 for 0, 0.3 for -0.74.")  # fmt: skip
@results_option
def main(
    scenes: int,
    counts: tuple[int, ...],
    ratios: tuple[float, ...],
    names: tuple[str, ...],
    noise_px: float,
    bound_px: float,
    max_trials: int,
    min_trials: int,
    separation: float | None,
    results: Path | None,
) -> None:
    """Print success, errors, times and samples of each estimator for each kind of scene."""
    config = PoseConfig(
        max_error_px=bound_px, reference_side_px=1024, max_num_trials=max_trials,
        min_num_trials=min_trials,
    )  # fmt: skip
    runtime = Runtime(WeightsStore(offline=True))
    estimators: dict[str, Estimate] = {}
    for name in names:
        estimators[name] = partial(estimate, create(ESTIMATORS, name, config, runtime))
    if separation is not None:
        weighted = create(ESTIMATORS, "weighted", config, runtime)
        estimators["weighted, equal weights"] = partial(estimate_unweighted, weighted)
    table = Table(
        "Pose estimators",
        ["correspondences", "inliers", "estimator", "success", "median error", "median angle, °",
         "ms", "ms / PoseLib", "CPU ms", "CPU ms / PoseLib", "samples"],
        f"{scenes} scenes per row. Errors are those of successes, in map units.",
    )  # fmt: skip
    for count in counts:
        for ratio in ratios:
            compare(table, estimators, scenes, count, ratio, noise_px, separation)
    table.write(results)


def estimate(estimator: PoseEstimator, scene: Scene) -> PoseEstimate | None:
    """Estimate the pose with the scene's weights."""
    return estimator.estimate(scene.correspondences, scene.camera)


def estimate_unweighted(estimator: PoseEstimator, scene: Scene) -> PoseEstimate | None:
    """Estimate the pose with equal weights."""
    equal = replace(scene.correspondences, weights=np.ones(len(scene.inlier_mask)))
    return estimator.estimate(equal, scene.camera)


def compare(
    table: Table,
    estimators: dict[str, Estimate],
    scenes: int,
    count: int,
    inlier_ratio: float,
    noise_px: float,
    separation: float | None,
) -> None:
    """Add the rows of one kind of scene.

    The first estimator changes from scene to scene: it is slowed down by cold caches.
    """
    runs: dict[str, list[Run]] = {name: [] for name in estimators}
    for seed in range(scenes):
        scene = make_scene(seed, count, inlier_ratio, noise_px)
        if separation is not None:
            weights = informative_weights(scene, separation, seed)
            scene = replace(scene, correspondences=replace(scene.correspondences, weights=weights))
        names = list(estimators)
        first = seed % len(names)
        for name in names[first:] + names[:first]:
            runs[name].append(measure(scene, estimators[name]))
    times = {
        name: np.median([(each.wall_ms, each.cpu_ms) for each in found], axis=0)
        for name, found in runs.items()
    }
    for name, found in runs.items():
        good = [(each.distance, each.angle_deg) for each in found if each.is_success]
        distance, angle_deg = np.median(good, axis=0) if good else (np.nan, np.nan)
        (wall_ms, cpu_ms), ratios = times[name], times[name] / times.get("poselib", np.nan)
        table.add(
            count,
            percent(inlier_ratio, 0),
            name,
            percent(len(good) / len(found)),
            round(float(distance), 4),
            round(float(angle_deg), 4),
            round(wall_ms, 1),
            round(ratios[0], 2),
            round(cpu_ms, 1),
            round(ratios[1], 2),
            round(float(np.median([each.num_trials for each in found]))),
        )


def measure(scene: Scene, run: Estimate) -> Run:
    """Run an estimator and compare its pose with the true one."""
    start, cpu_start = time.perf_counter(), time.process_time()
    found = run(scene)
    cpu_ms = 1000 * (time.process_time() - cpu_start)
    wall_ms = 1000 * (time.perf_counter() - start)
    if found is None:
        return Run(False, np.inf, np.inf, wall_ms, cpu_ms, 0)
    distance, angle_deg = pose_errors(found.cam_from_world, scene.cam_from_world)
    is_success = distance < MAX_DISTANCE and angle_deg < MAX_ANGLE_DEG
    return Run(is_success, distance, angle_deg, wall_ms, cpu_ms, found.num_trials)


if __name__ == "__main__":
    main()
