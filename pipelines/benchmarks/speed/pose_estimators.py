"""Pose estimators on the same simulated correspondences: success, errors, times.

    python -m pipelines.benchmarks.speed.pose_estimators --scenes 200
    python -m pipelines.benchmarks.speed.pose_estimators --weights 1.19 --share 0.05 --share 0.02

All estimators end in the same refinement on pixels. With --weights, ``weighted`` also runs without
them (``weighted, equal weights``). Success: within 0.5 degrees and 1 % of the median depth. Times
are medians. On a busy machine compare CPU times, with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import Scene, informative_weights, make_scene
from hloc_lite.types import PoseEstimate
from pipelines.benchmarks.speed.estimator_runs import (
    Run,
    accuracy_cells,
    measure,
    median_trials,
    ransac_config,
    ransac_options,
)
from pipelines.benchmarks.table import Table, percent, results_option

Estimate = Callable[[Scene], PoseEstimate | None]


@click.command()
@click.option("--scenes", default=200, show_default=True, help="Scenes per row.")
@click.option("--count", "counts", multiple=True, default=(500, 2000, 4000), show_default=True)
@click.option("--share", "ratios", multiple=True, default=(0.5, 0.2, 0.1, 0.05), show_default=True,
              help="Inlier ratio.")  # fmt: skip
@click.option("--estimators", "names", multiple=True, default=tuple(ESTIMATORS), show_default=True)
@ransac_options
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
    config = ransac_config(bound_px, max_trials, min_trials)
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
            runs[name].append(measure(
                partial(estimators[name], scene), lambda found: found.cam_from_world,
                scene.cam_from_world,
            ))  # fmt: skip
    times = {
        name: np.median([(each.wall_ms, each.cpu_ms) for each in found], axis=0)
        for name, found in runs.items()
    }
    for name, found in runs.items():
        (wall_ms, cpu_ms), ratios = times[name], times[name] / times.get("poselib", np.nan)
        table.add(
            count,
            percent(inlier_ratio, 0),
            name,
            *accuracy_cells(found),
            round(wall_ms, 1),
            round(ratios[0], 2),
            round(cpu_ms, 1),
            round(ratios[1], 2),
            median_trials(found),
        )


if __name__ == "__main__":
    main()
